/* A WASI command that does what its first argument says, for the tests of Wasgo.Wasm.Command. */
#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what) {
    perror(what);
    return 1;
}

static int files(void) {
    char line[64] = "";
    struct stat about;
    if (mkdir("/data/new", 0755) != 0) {
        return fail("mkdir");
    }
    FILE *file = fopen("/data/new/file.txt", "w+");
    if (!file) {
        return fail("fopen");
    }
    printf("wrote %d\n", fprintf(file, "hello %s", "files"));
    rewind(file);
    if (!fgets(line, sizeof line, file) || fclose(file) != 0) {
        return fail("fgets");
    }
    printf("read %s\n", line);
    DIR *directory = opendir("/data");
    if (!directory) {
        return fail("opendir");
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] != '.') {
            puts(entry->d_name);
        }
    }
    closedir(directory);
    if (stat("/data/new/file.txt", &about) != 0) {
        return fail("stat");
    }
    printf("size %d\n", (int)about.st_size);
    return 0;
}

static int tell_time(void) {
    time_t now = time(NULL);
    struct timespec before, after, pause = {.tv_nsec = 20 * 1000 * 1000};
    printf("%d\n", 1900 + gmtime(&now)->tm_year);
    clock_gettime(CLOCK_MONOTONIC, &before);
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    long long slept = (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec;
    puts(slept >= pause.tv_nsec ? "slept" : "did not sleep");
    return 0;
}

static int cat(void) {
    char block[10000];
    for (size_t got; (got = fread(block, 1, sizeof block, stdin)) > 0;) {
        fwrite(block, 1, got, stdout);
    }
    return 0;
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    if (strcmp(what, "files") == 0) {
        return files();
    }
    if (strcmp(what, "time") == 0) {
        return tell_time();
    }
    if (strcmp(what, "cat") == 0) {
        return cat();
    }
    if (strcmp(what, "abort") == 0) {
        assert(1 == 2);
    }
    int lines = 0;
    for (int c; (c = getchar()) != EOF;) {
        lines += c == '\n';
    }
    printf("%s, %s\nNAME=%s\n%d lines\n", what, arguments[2], getenv("NAME"), lines);
    fputs("done\n", stderr);
    return 42;
}
