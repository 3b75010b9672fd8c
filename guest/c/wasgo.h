/*
 * wasgo.h: what a Wasgo script in C needs, in one header. It needs no C library, and goes with one (see wasgo_libc.h).
 *
 * It gives a script the exported `wasgo_alloc`, readers and a writer for rows, the record of an instance table, and
 * a few numeric helpers that give the same bits on every machine. `guest/README.md` is the contract behind it.
 *
 * Include it in one source file of the script, and build like this:
 *
 *     clang --target=wasm32 -ffreestanding -nostdlib -O2 -Wl,--no-entry -Wl,--stack-first script.c -o script.wasm
 *
 * Memory: one static arena. The host's `wasgo_alloc` before each call empties it, so nothing taken from it outlives
 * the next call, nothing needs freeing, and any number of calls uses no more memory than the largest of them.
 */
#ifndef WASGO_H
#define WASGO_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the arena: one call's input and what the script makes from it. Define it before the include to change it. */
#ifndef WASGO_ARENA_BYTES
#define WASGO_ARENA_BYTES (256u * 1024u)
#endif

/* Puts a function under this name into the module's exports. */
#define WASGO_EXPORT(name) __attribute__((export_name(name), used))

/* Where a result lies: pointer in the upper half, length in the lower. 0 from `_notification` means "no change". */
typedef uint64_t wasgo_span;

/* Notifications of a Godot node that scripts meet most; the full list is in Godot's class reference. */
enum {
    WASGO_NOTIFICATION_READY = 13,
    WASGO_NOTIFICATION_PHYSICS_PROCESS = 16,
    WASGO_NOTIFICATION_PROCESS = 17,
    WASGO_NOTIFICATION_WORLD = 10000 /* the first number that is the world's own */
};

/* ---- memory ------------------------------------------------------------------------------------------------- */

_Static_assert(WASGO_ARENA_BYTES >= 64 && WASGO_ARENA_BYTES <= 1u << 30, "WASGO_ARENA_BYTES is out of range");

static uint8_t wasgo_arena[WASGO_ARENA_BYTES] __attribute__((aligned(16)));
static uint32_t wasgo_arena_used;

/* `size` bytes, 8-byte aligned, valid until the next call of the script; NULL when the arena has no such room left. */
static inline void *wasgo_take(uint32_t size) {
    uint32_t start = (wasgo_arena_used + 7u) & ~7u;
    if (start > WASGO_ARENA_BYTES || size > WASGO_ARENA_BYTES - start) {
        return NULL;
    }
    wasgo_arena_used = start + size;
    return wasgo_arena + start;
}

/* The host's: empties the arena and answers where the next input goes, or 0 when it is too large. */
WASGO_EXPORT("wasgo_alloc")
void *wasgo_alloc(uint32_t size) {
    wasgo_arena_used = 0;
    return wasgo_take(size);
}

/* The span of `length` bytes at `bytes`. */
static inline wasgo_span wasgo_span_of(const void *bytes, uint32_t length) {
    return (uint64_t)(uintptr_t)bytes << 32 | length;
}

/* The span of a string literal, as `_columns` returns it. */
#define WASGO_SPAN_OF_LITERAL(text) wasgo_span_of((text), sizeof(text) - 1)

/*
 * Compilers turn loops and struct copies into calls of these two, so a script without a C library must have them.
 * `no_builtin` keeps the loops from becoming calls of themselves.
 */
#ifdef __wasi__
#include <string.h>
#else
__attribute__((weak, no_builtin("memcpy"))) void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    }
    return to;
}

__attribute__((weak, no_builtin("memset"))) void *memset(void *to, int byte, size_t size) {
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)to)[i] = (uint8_t)byte;
    }
    return to;
}
#endif

/* ---- rows: reading ------------------------------------------------------------------------------------------ */

typedef enum {
    WASGO_INTEGER = 1,
    WASGO_REAL = 2,
    WASGO_TEXT = 3,
    WASGO_BLOB = 4,
    WASGO_NULL = 5
} wasgo_type;

/* One value as it lies in a row. `offset` is that of the bytes of a TEXT or BLOB, from the row's start. */
typedef struct {
    uint32_t type;
    uint32_t length;
    union {
        int64_t integer;
        double real;
        uint64_t offset;
    } as;
} wasgo_value;

_Static_assert(sizeof(wasgo_value) == 16, "a value has 16 bytes");

typedef struct {
    uint32_t count;
    uint32_t size;
    wasgo_value values[];
} wasgo_row;

_Static_assert(sizeof(wasgo_row) == 8, "a row's header has 8 bytes");

/* Bytes inside a row: not ended by a zero, valid as long as the row. */
typedef struct {
    const uint8_t *bytes;
    uint32_t length;
} wasgo_bytes;

/* The row at `place`, or NULL when the header and values do not fit into `length` bytes. */
static inline const wasgo_row *wasgo_row_at(const void *place, uint32_t length) {
    const wasgo_row *row = place;
    if (length < sizeof(wasgo_row) || row->size > length || row->size < sizeof(wasgo_row) ||
        row->count > (row->size - sizeof(wasgo_row)) / sizeof(wasgo_value)) {
        return NULL;
    }
    return row;
}

/* The type of value `i`; WASGO_NULL for one that the row does not have. All readers take a NULL row as an empty one. */
static inline uint32_t wasgo_row_type(const wasgo_row *row, uint32_t i) {
    return row && i < row->count ? row->values[i].type : WASGO_NULL;
}

/* Value `i` as a number: an INTEGER is converted (a database may store 2.0 as 2), anything else is 0. */
static inline double wasgo_row_real(const wasgo_row *row, uint32_t i) {
    switch (wasgo_row_type(row, i)) {
    case WASGO_REAL:
        return row->values[i].as.real;
    case WASGO_INTEGER:
        return (double)row->values[i].as.integer;
    default:
        return 0.0;
    }
}

/* Value `i` as an integer; anything but an INTEGER is 0. */
static inline int64_t wasgo_row_integer(const wasgo_row *row, uint32_t i) {
    return wasgo_row_type(row, i) == WASGO_INTEGER ? row->values[i].as.integer : 0;
}

/* The bytes of value `i`, a TEXT (UTF-8) or BLOB; no bytes for anything else. */
static inline wasgo_bytes wasgo_row_bytes(const wasgo_row *row, uint32_t i) {
    wasgo_bytes none = {NULL, 0};
    uint32_t type = wasgo_row_type(row, i);
    if (type != WASGO_TEXT && type != WASGO_BLOB) {
        return none;
    }
    const wasgo_value *value = &row->values[i];
    if (value->as.offset > row->size || value->length > row->size - value->as.offset) {
        return none;
    }
    wasgo_bytes bytes = {(const uint8_t *)row + value->as.offset, value->length};
    return bytes;
}

/* ---- rows: writing ------------------------------------------------------------------------------------------ */

/*
 * Writes one row into the arena: `wasgo_row_begin`, one `wasgo_put_...` for each value in order, `wasgo_row_end`.
 * A full arena, a value too many or one too few traps: the host shows it to the author as an `unreachable`.
 */
typedef struct {
    wasgo_row *row;
    uint32_t filled;
} wasgo_writer;

static inline wasgo_writer wasgo_row_begin(uint32_t count) {
    /* The first test keeps the product inside 32 bits. */
    wasgo_row *row = NULL;
    if (count <= WASGO_ARENA_BYTES / sizeof(wasgo_value)) {
        row = wasgo_take(sizeof(wasgo_row) + count * sizeof(wasgo_value));
    }
    if (!row) {
        __builtin_trap();
    }
    row->count = count;
    wasgo_writer writer = {row, 0};
    return writer;
}

static inline wasgo_value *wasgo_writer_next(wasgo_writer *writer, uint32_t type, uint32_t length) {
    if (writer->filled >= writer->row->count) {
        __builtin_trap();
    }
    wasgo_value *value = &writer->row->values[writer->filled++];
    value->type = type;
    value->length = length;
    value->as.integer = 0;
    return value;
}

static inline void wasgo_put_integer(wasgo_writer *writer, int64_t integer) {
    wasgo_writer_next(writer, WASGO_INTEGER, 0)->as.integer = integer;
}

static inline void wasgo_put_real(wasgo_writer *writer, double real) {
    wasgo_writer_next(writer, WASGO_REAL, 0)->as.real = real;
}

static inline void wasgo_put_null(wasgo_writer *writer) {
    wasgo_writer_next(writer, WASGO_NULL, 0);
}

static inline void wasgo_put_bytes(wasgo_writer *writer, wasgo_type type, const void *bytes, uint32_t length) {
    wasgo_value *value = wasgo_writer_next(writer, type, length);
    uint8_t *place = wasgo_take(length);
    if (!place) {
        __builtin_trap();
    }
    memcpy(place, bytes, length);
    value->as.offset = (uint64_t)(place - (uint8_t *)writer->row);
}

static inline void wasgo_put_text(wasgo_writer *writer, const char *utf8, uint32_t length) {
    wasgo_put_bytes(writer, WASGO_TEXT, utf8, length);
}

static inline void wasgo_put_blob(wasgo_writer *writer, const void *bytes, uint32_t length) {
    wasgo_put_bytes(writer, WASGO_BLOB, bytes, length);
}

/* The finished row's span, to return from `_notification`. */
static inline wasgo_span wasgo_row_end(wasgo_writer *writer) {
    if (writer->filled != writer->row->count) {
        __builtin_trap();
    }
    /* Everything taken since the row began lies behind it in the arena. */
    writer->row->size = (uint32_t)(wasgo_arena + wasgo_arena_used - (uint8_t *)writer->row);
    return wasgo_span_of(writer->row, writer->row->size);
}

/* ---- instance tables ---------------------------------------------------------------------------------------- */

/* One scattered thing of a chunk. */
typedef struct {
    uint32_t kind;  /* index into the plan's list of meshes */
    float x, y, z;  /* metres; x and z from the chunk's corner, y absolute */
    float yaw;      /* radians about +Y */
    float scale;    /* more than 0, at most 100 */
    float slope;    /* of the ground below: 0 flat .. 1 vertical, 1 - normal.y */
    float moisture; /* of the ground below: 0 dry .. 1 wet */
} wasgo_instance;

_Static_assert(sizeof(wasgo_instance) == 32, "an instance has 32 bytes");

/* ---- numbers ------------------------------------------------------------------------------------------------ */

/* An evenly spread 32-bit hash of a grid cell. The last steps are the finalizer of MurmurHash3 (public domain). */
static inline uint32_t wasgo_hash(int32_t x, int32_t z, uint32_t seed) {
    uint32_t h = seed ^ (uint32_t)x * 0x9e3779b1u;
    h = (h << 13 | h >> 19) ^ (uint32_t)z * 0x85ebca77u;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

/* A hash as a number from 0 up to, but not including, 1. */
static inline float wasgo_unit(uint32_t hash) {
    return (float)(hash >> 8) * 0x1p-24f;
}

/*
 * sin(angle + quarter * pi/2). The angle is brought into -pi/4..pi/4 by taking away whole quarter turns (pi/2 in two
 * parts, so that the product with the first is exact), then the Taylor series is summed until the next term is below a
 * double's precision. Only additions and multiplications: the same bits everywhere.
 */
static inline double wasgo_sin_quarter(double angle, double quarter) {
    if (!(angle >= -1e9 && angle <= 1e9)) {
        return __builtin_nan("");
    }
    double turns = __builtin_floor(angle * 0.6366197723675814 + 0.5);
    double r = (angle - turns * 1.5707963267341256) - turns * 6.077100506506192e-11;
    double r2 = r * r;
    turns += quarter;
    double part = turns - 4.0 * __builtin_floor(turns * 0.25);
    double value;
    if (part == 0.0 || part == 2.0) {
        value = r * (1 + r2 * (-1.0 / 6 + r2 * (1.0 / 120 + r2 * (-1.0 / 5040 + r2 * (1.0 / 362880 +
                r2 * (-1.0 / 39916800 + r2 * (1.0 / 6227020800.0 + r2 * (-1.0 / 1307674368000.0))))))));
    } else {
        value = 1 + r2 * (-1.0 / 2 + r2 * (1.0 / 24 + r2 * (-1.0 / 720 + r2 * (1.0 / 40320 + r2 * (-1.0 / 3628800 +
                r2 * (1.0 / 479001600.0 + r2 * (-1.0 / 87178291200.0 + r2 * (1.0 / 20922789888000.0))))))));
    }
    return part >= 2.0 ? -value : value;
}

/* Sine and cosine of radians. Off by less than 1e-15 up to 1e6, by less than 1e-7 up to 1e9; NaN beyond. */
static inline double wasgo_sin(double angle) {
    return wasgo_sin_quarter(angle, 0.0);
}

static inline double wasgo_cos(double angle) {
    return wasgo_sin_quarter(angle, 1.0);
}

#endif
