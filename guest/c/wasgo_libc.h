/*
 * wasgo_libc.h: for scripts in C that use a C library (wasi-libc) and its printf or scanf family.
 *
 * `snprintf` writes into memory, but the library brings the code for files along with it, and with that imports that no
 * script is granted. The functions here take the place of the library's own and say that there are no files, so that
 * the module imports nothing. Include it in one source file of the script, beside `wasgo.h`.
 *
 * What asks the world itself stays out of reach: `exit`, `getenv`, `time`, files. A script that calls them is not
 * instantiated, and the error names the import.
 */
#ifndef WASGO_LIBC_H
#define WASGO_LIBC_H

#include <errno.h>
#include <sys/types.h>
#include <sys/uio.h>

int close(int file) {
    (void)file;
    errno = EBADF;
    return -1;
}

off_t __lseek(int file, off_t offset, int whence) {
    (void)file, (void)offset, (void)whence;
    errno = EBADF;
    return -1;
}

off_t lseek(int file, off_t offset, int whence) {
    return __lseek(file, offset, whence);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    (void)file, (void)parts, (void)count;
    errno = EBADF;
    return -1;
}

ssize_t readv(int file, const struct iovec *parts, int count) {
    (void)file, (void)parts, (void)count;
    errno = EBADF;
    return -1;
}

#endif
