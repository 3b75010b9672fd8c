/*
 * namer: a service that names places. A WASI preview 1 command: it reads lines from standard input and answers each
 * with one line on standard output, at once.
 *
 *     READY                                            said first, before anything is read
 *     x z min max mean slope trees rocks           ->  a name, such as "Upper Fenwick Moor"
 *     anything else                                ->  error: what is wrong with it
 *
 * x and z tell where the place is (any unit; the same pair always gives the same syllables), min, max and mean are
 * heights in metres with the sea at 0, slope is the mean slope from 0 flat to 1 vertical, trees and rocks are how many
 * stand there. A line has at most 1,023 bytes. At the end of the input the program ends with status 0.
 *
 * It uses file descriptors, not stdio: every answer is out when it is made, and the module stays small. The input may
 * be non-blocking: where a read finds nothing yet, it waits by poll.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 1023, ANSWER_BYTES = 128 };

enum { X, Z, MIN, MAX, MEAN, SLOPE, TREES, ROCKS, FIELDS };

static const char *const FIELD_NAMES[FIELDS] = {"x", "z", "min", "max", "mean", "slope", "trees", "rocks"};

/* ---- input and output --------------------------------------------------------------------------------------- */

/* Whether the call that just failed is worth trying again; waits until it is. */
static int try_again(int descriptor, short events) {
    if (errno == EINTR) {
        return 1;
    }
    if (errno != EAGAIN) {
        return 0;
    }
    struct pollfd wait = {.fd = descriptor, .events = events};
    return poll(&wait, 1, -1) >= 0 || errno == EINTR;
}

/* 0 when nobody reads any more. */
static int say(const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t done = write(STDOUT_FILENO, bytes, length);
        if (done < 0) {
            if (!try_again(STDOUT_FILENO, POLLOUT)) {
                return 0;
            }
            continue;
        }
        bytes += done;
        length -= (size_t)done;
    }
    return 1;
}

/* An answer in the making. What does not fit is left out; the longest that is made here fits. */
typedef struct {
    char bytes[ANSWER_BYTES];
    size_t length;
} answer;

static void add(answer *to, const char *text) {
    while (*text && to->length < ANSWER_BYTES - 1) {
        to->bytes[to->length++] = *text++;
    }
}

static int send_answer(answer *done) {
    done->bytes[done->length++] = '\n'; /* `add` keeps this place free */
    return say(done->bytes, done->length);
}

/* ---- numbers ------------------------------------------------------------------------------------------------ */

static int is_digit(char c) {
    return c >= '0' && c <= '9';
}

/*
 * Reads a decimal number such as -12, 0.5 or 1e-3 and moves on behind it; 0 when there is none. The same text gives
 * the same double everywhere, within a few units in the last place of the nearest one. Exponents are from -99 to 99.
 */
static int read_number(const char **at, const char *end, double *number) {
    const char *c = *at;
    double value = 0.0;
    int exponent = 0;
    int digits = 0;
    int negative = c < end && *c == '-';
    if (c < end && (*c == '-' || *c == '+')) {
        c++;
    }
    for (; c < end && is_digit(*c); c++, digits++) {
        value = value * 10.0 + (*c - '0');
    }
    if (c < end && *c == '.') {
        for (c++; c < end && is_digit(*c); c++, digits++) {
            value = value * 10.0 + (*c - '0');
            exponent--;
        }
    }
    if (digits == 0) {
        return 0;
    }
    if (c < end && (*c == 'e' || *c == 'E')) {
        c++;
        int sign = c < end && *c == '-' ? -1 : 1;
        if (c < end && (*c == '-' || *c == '+')) {
            c++;
        }
        if (c == end || !is_digit(*c)) {
            return 0;
        }
        int power = 0;
        for (; c < end && is_digit(*c); c++) {
            power = power * 10 + (*c - '0');
            if (power > 99) {
                return 0;
            }
        }
        exponent += sign * power;
    }
    /* Dividing by a power of ten is exact where multiplying by 0.1 is not: "10.0" and "10" must be one place. */
    double scale = 1.0;
    for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--) {
        scale *= 10.0;
    }
    value = exponent < 0 ? value / scale : value * scale;
    *number = negative ? -value : value;
    *at = c;
    return 1;
}

/* Reads the eight fields of a request; says what is wrong and answers 0 when they are not there. */
static int read_request(const char *line, size_t length, double *fields, answer *problem) {
    const char *at = line;
    const char *end = line + length;
    for (int i = 0; i < FIELDS; i++) {
        while (at < end && (*at == ' ' || *at == '\t')) {
            at++;
        }
        if (at == end) {
            add(problem, "error: ");
            add(problem, FIELD_NAMES[i]);
            add(problem, " is missing; expected: x z min max mean slope trees rocks");
            return 0;
        }
        int ended = read_number(&at, end, &fields[i]) && (at == end || *at == ' ' || *at == '\t');
        if (!ended || !(fields[i] > -1e15 && fields[i] < 1e15)) {
            add(problem, "error: ");
            add(problem, FIELD_NAMES[i]);
            add(problem, " is not a number between -1e15 and 1e15");
            return 0;
        }
    }
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    if (at < end) {
        add(problem, "error: more than 8 numbers");
        return 0;
    }
    if (!(fields[MIN] <= fields[MEAN] && fields[MEAN] <= fields[MAX])) {
        add(problem, "error: mean is not between min and max");
        return 0;
    }
    if (!(fields[SLOPE] >= 0.0 && fields[SLOPE] <= 1.0)) {
        add(problem, "error: slope is not between 0 and 1");
        return 0;
    }
    if (fields[TREES] < 0.0 || fields[ROCKS] < 0.0) {
        add(problem, "error: trees and rocks cannot be negative");
        return 0;
    }
    return 1;
}

/* ---- names -------------------------------------------------------------------------------------------------- */

/* One step of the splitmix64 generator (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). */
static uint64_t mix(uint64_t h) {
    h += 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    return h ^ h >> 31;
}

static uint64_t hash_of(double number) {
    uint64_t bits;
    number += 0.0; /* -0 and 0 are one place */
    memcpy(&bits, &number, sizeof bits);
    return mix(bits);
}

#define COUNT(table) (sizeof(table) / sizeof *(table))
/* An entry of a table, by a hash that is moved on for the next choice. */
#define PICK(table, hash) ((table)[(*(hash) = mix(*(hash))) % COUNT(table)])

static const char *const FIRST_SYLLABLES[] = {
    "Al", "Ash", "Bal", "Bran", "Cor", "Dun", "El", "Fen", "Gar", "Hal", "Har", "Il", "Kes", "Lang", "Mar", "Nor",
    "Old", "Pen", "Quin", "Raven", "Sel", "Stan", "Thorn", "Tre", "Ul", "Wen", "Whit", "Win", "Yar", "Zen"};
static const char *const MIDDLE_SYLLABLES[] = {"a", "der", "en", "er", "i", "ing", "mer", "o", "ster", "ter"};
static const char *const LAST_SYLLABLES[] = {"beck", "bourne", "by", "combe", "dale", "den", "field", "ford",
                                             "gate", "ham", "ley", "low", "mouth", "ridge", "stead", "stow",
                                             "thorpe", "ton", "wick", "worth"};

/* Kinds of land. */
static const char *const UNDER_WATER[] = {"Deep", "Shoals", "Sound", "Water"};
static const char *const SHORE[] = {"Bay", "Cove", "Haven", "Strand"};
static const char *const CLIFFS[] = {"Crags", "Edge", "Scar", "Tor"};
static const char *const SCREE[] = {"Rigg", "Scree", "Stones"};
static const char *const WOOD[] = {"Forest", "Holt", "Weald", "Wood"};
static const char *const HILLS[] = {"Downs", "Fell", "Hills", "Rise"};
static const char *const OPEN[] = {"Common", "Heath", "Lea", "Moor"};

static const char *kind_of_land(const double *fields, uint64_t *hash) {
    double relief = fields[MAX] - fields[MIN];
    if (fields[MAX] <= 0.0) {
        return PICK(UNDER_WATER, hash);
    }
    if (fields[MIN] <= 0.0) {
        return PICK(SHORE, hash);
    }
    if (fields[SLOPE] > 0.3) {
        return PICK(CLIFFS, hash);
    }
    if (fields[ROCKS] >= 20.0 && fields[ROCKS] > fields[TREES]) {
        return PICK(SCREE, hash);
    }
    if (fields[TREES] >= 40.0) {
        return PICK(WOOD, hash);
    }
    return relief > 25.0 ? PICK(HILLS, hash) : PICK(OPEN, hash);
}

static const char *height_of_land(const double *fields, uint64_t *hash) {
    static const char *const UPPER[] = {"Upper ", "High ", ""};
    static const char *const LOWER[] = {"Nether ", "Low ", ""};
    if (fields[MEAN] > 40.0) {
        return PICK(UPPER, hash);
    }
    return fields[MAX] > 0.0 && fields[MEAN] < 8.0 ? PICK(LOWER, hash) : "";
}

static void name_place(const double *fields, answer *name) {
    uint64_t hash = mix(hash_of(fields[X]) + 3 * hash_of(fields[Z]));
    /* The syllables come from x and z alone: a place whose woods are felled keeps that part of its name. */
    const char *first = PICK(FIRST_SYLLABLES, &hash);
    const char *middle = PICK(MIDDLE_SYLLABLES, &hash);
    const char *last = PICK(LAST_SYLLABLES, &hash);
    hash = mix(hash);
    int with_middle = hash % 3 == 0;

    add(name, height_of_land(fields, &hash));
    add(name, first);
    add(name, with_middle ? middle : "");
    add(name, last);
    add(name, " ");
    add(name, kind_of_land(fields, &hash));
}

/* ---- the service -------------------------------------------------------------------------------------------- */

/* `length` may say more than LINE_BYTES: then the line was too long, and its bytes are not all here. */
static int answer_line(const char *line, size_t length) {
    answer reply = {.length = 0};
    double fields[FIELDS];
    if (length > LINE_BYTES) {
        add(&reply, "error: the line has more than 1023 bytes");
        return send_answer(&reply);
    }
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    if (read_request(line, length, fields, &reply)) {
        name_place(fields, &reply);
    }
    return send_answer(&reply);
}

int main(void) {
    static char line[LINE_BYTES];
    static char block[4096];
    size_t length = 0;

    if (!say("READY\n", 6)) {
        return 1;
    }
    for (;;) {
        ssize_t got = read(STDIN_FILENO, block, sizeof block);
        if (got < 0) {
            if (try_again(STDIN_FILENO, POLLIN)) {
                continue;
            }
            return 1;
        }
        if (got == 0) {
            /* A last line may lack its end. */
            return length > 0 && !answer_line(line, length) ? 1 : 0;
        }
        for (ssize_t i = 0; i < got; i++) {
            if (block[i] == '\n') {
                if (!answer_line(line, length)) {
                    return 1;
                }
                length = 0;
            } else if (length < LINE_BYTES) {
                line[length++] = block[i];
            } else {
                length = LINE_BYTES + 1; /* from here on the line is only skipped */
            }
        }
    }
}
