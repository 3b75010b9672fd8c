/*
 * signpost: writes what lies around a signpost, nearest first.
 *
 * A `_notification` script with a C library: it sorts, formats and measures with the functions that everybody knows. For
 * NOTIFICATION_READY the row that comes in is
 *
 *     x REAL, z REAL (metres), then name TEXT, x REAL, z REAL of each place
 *
 * and the one that goes out is the text of the sign: a line for each of the nearest places. Every other notification
 * changes nothing.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../c/wasgo.h"
#include "../c/wasgo_libc.h"

#define LINES 4u
#define LONGEST_NAME 40u

/* Values of the row before the places, and of each place. */
#define FIRST_PLACE 2u
#define PLACE_VALUES 3u

typedef struct {
    wasgo_bytes name;
    double metres;
    const char *direction;
} place;

/* Radians of an eighth turn. */
static const double EIGHTH = 0.7853981633974483;

/* North is -Z, as in Godot, and east +X. */
static const char *direction(double dx, double dz) {
    static const char *const NAMES[] = {"N", "NE", "E", "SE", "S", "SW", "W", "NW"};
    return NAMES[lround(atan2(dx, -dz) / EIGHTH) & 7];
}

/* By distance, then by name: the same sign whatever the order of the places. */
static int compare(const void *left, const void *right) {
    const place *a = left, *b = right;
    if (a->metres != b->metres) {
        return a->metres < b->metres ? -1 : 1;
    }
    uint32_t shorter = a->name.length < b->name.length ? a->name.length : b->name.length;
    int order = memcmp(a->name.bytes, b->name.bytes, shorter);
    return order ? order : (a->name.length > b->name.length) - (a->name.length < b->name.length);
}

/* The first bytes of a name, without half a character at the end: in UTF-8 all but the first byte of one are 10...... */
static uint32_t cut(wasgo_bytes name) {
    uint32_t length = name.length;
    if (length > LONGEST_NAME) {
        length = LONGEST_NAME;
        while (length > 0 && (name.bytes[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    return length;
}

/* Adds a line to the `used` bytes of a sign with room for `size`; how many there are then. */
static uint32_t write_line(char *sign, uint32_t used, uint32_t size, const place *place) {
    double metres = fmin(place->metres, 1e9);
    int written = snprintf(sign + used, size - used, "%s%.*s  %.*f %s %s", used > 0 ? "\n" : "", (int)cut(place->name),
                           place->name.bytes, metres < 1000 ? 0 : 1, metres < 1000 ? metres : metres / 1000,
                           metres < 1000 ? "m" : "km", place->direction);
    return used + (uint32_t)written;
}

WASGO_EXPORT("_columns")
wasgo_span columns(void) {
    return WASGO_SPAN_OF_LITERAL("text");
}

WASGO_EXPORT("_notification")
wasgo_span notification(int32_t what, const void *bytes, uint32_t length) {
    const wasgo_row *row = wasgo_row_at(bytes, length);
    if (what != WASGO_NOTIFICATION_READY || !row || row->count < FIRST_PLACE) {
        return 0;
    }

    uint32_t count = (row->count - FIRST_PLACE) / PLACE_VALUES;
    place *places = calloc(count + 1, sizeof(place));
    if (!places) {
        __builtin_trap();
    }
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = FIRST_PLACE + i * PLACE_VALUES;
        double dx = wasgo_row_real(row, first + 1) - wasgo_row_real(row, 0);
        double dz = wasgo_row_real(row, first + 2) - wasgo_row_real(row, 1);
        if (isfinite(dx) && isfinite(dz)) {
            places[found++] = (place){wasgo_row_bytes(row, first), hypot(dx, dz), direction(dx, dz)};
        }
    }
    qsort(places, found, sizeof(place), compare);

    char sign[LINES * (LONGEST_NAME + 32)];
    uint32_t used = 0;
    for (uint32_t i = 0; i < found && i < LINES; i++) {
        used = write_line(sign, used, sizeof sign, &places[i]);
    }
    /* What malloc gives is the script's until it is freed, in this call or in a later one. */
    free(places);

    wasgo_writer answer = wasgo_row_begin(1);
    wasgo_put_text(&answer, sign, used);
    return wasgo_row_end(&answer);
}
