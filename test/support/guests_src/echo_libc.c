/* echo once more, with a C library that formats: what its functions bring along must not ask for imports. */
#include <assert.h>
#include <stdio.h>

#include "echo.c"
#include "wasgo_libc.h"

/* Runs in `_initialize`; a check that fails traps. */
__attribute__((constructor)) static void formats(void) {
    char text[40];
    double number = 0;
    int written = snprintf(text, sizeof text, "%s %.2f %d", "echo", 1.25, 3);
    assert(written == 11 && strcmp(text, "echo 1.25 3") == 0);
    assert(sscanf(text, "echo %lf", &number) == 1 && number == 1.25);
}
