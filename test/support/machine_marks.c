/* With machine.c: what an image of container2wasm is told by. */
#include <stdint.h>

__attribute__((import_module("wasi_snapshot_preview1"), import_name("sock_accept"))) int32_t accept_one(int32_t, int32_t, int32_t);

static const char mark[] = "ucbbar,riscvemu";

__attribute__((export_name("wasi_vfs_pack_fs"))) int32_t pack_files(void) {
    const volatile char *at = mark;
    return at[0] == 'u' ? accept_one(3, 0, 0) : 0;
}
