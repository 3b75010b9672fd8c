/*
 * echo: says what the SDK reads and writes; test/guests_test.exs asks. PROCESS: the row itself, value by value.
 * PHYSICS_PROCESS: how each value, and one behind the last, reads as REAL, as INTEGER and as bytes. Else: no change.
 * `process`: the bytes backwards.
 */
#include "wasgo.h"

static void put(wasgo_writer *answer, const wasgo_row *row, uint32_t i) {
    wasgo_bytes bytes = wasgo_row_bytes(row, i);
    switch (wasgo_row_type(row, i)) {
    case WASGO_INTEGER:
        wasgo_put_integer(answer, wasgo_row_integer(row, i));
        break;
    case WASGO_REAL:
        wasgo_put_real(answer, wasgo_row_real(row, i));
        break;
    case WASGO_TEXT:
        wasgo_put_text(answer, (const char *)bytes.bytes, bytes.length);
        break;
    case WASGO_BLOB:
        wasgo_put_blob(answer, bytes.bytes, bytes.length);
        break;
    default:
        wasgo_put_null(answer);
    }
}

static void put_readings(wasgo_writer *answer, const wasgo_row *row, uint32_t i) {
    wasgo_bytes bytes = wasgo_row_bytes(row, i);
    wasgo_put_real(answer, wasgo_row_real(row, i));
    wasgo_put_integer(answer, wasgo_row_integer(row, i));
    wasgo_put_blob(answer, bytes.bytes, bytes.length);
}

WASGO_EXPORT("_notification")
wasgo_span notification(int32_t what, const void *place, uint32_t length) {
    const wasgo_row *row = wasgo_row_at(place, length);
    if (!row) {
        return 0;
    }
    if (what == WASGO_NOTIFICATION_PROCESS) {
        wasgo_writer answer = wasgo_row_begin(row->count);
        for (uint32_t i = 0; i < row->count; i++) {
            put(&answer, row, i);
        }
        return wasgo_row_end(&answer);
    }
    if (what == WASGO_NOTIFICATION_PHYSICS_PROCESS) {
        wasgo_writer answer = wasgo_row_begin(3 * (row->count + 1));
        for (uint32_t i = 0; i <= row->count; i++) {
            put_readings(&answer, row, i);
        }
        return wasgo_row_end(&answer);
    }
    return 0;
}

WASGO_EXPORT("process")
wasgo_span process(uint8_t *bytes, uint32_t length) {
    for (uint32_t i = 0; i < length / 2; i++) {
        uint8_t byte = bytes[i];
        bytes[i] = bytes[length - 1 - i];
        bytes[length - 1 - i] = byte;
    }
    return wasgo_span_of(bytes, length);
}
