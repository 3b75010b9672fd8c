/*
 * A WASI program that behaves at its standard streams as container images do that container2wasm made: an emulator whose machine has a serial terminal.
 * For the tests of Wasgo.Service's console. What is behind the terminal is no Linux, but a handful of commands.
 *
 *   - standard input is polled, then read without waiting; reading 0 bytes is its end, and ends the emulator with status 1
 *   - the terminal echoes and edits lines until `stty` says otherwise: 0x03 ends the command, 0x04 is the end of its input, 0x7f and 0x15 erase
 *   - a line has at most 4,095 bytes, the rest is cut without a word
 *   - every "\n" that is written arrives as "\r\n"
 *   - 0x01 is the emulator's escape: 0x01 'x' ends the machine, 0x01 0x01 is the byte
 *   - the exit status is 0 whatever the command's was
 *   - arguments, environment and directories have at most 1,024 bytes together
 *   - an argument or variable that is empty, or ends with a backslash or with a character that is none of ASCII, does not arrive as it was
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_LINE = 4095, BLOCK = 1024 };

static int echo = 1, raw = 0;
static unsigned char line[LONGEST_LINE + 1];
static size_t held = 0;
/* What the command may read: whole lines, or in raw mode everything. */
static unsigned char ready[1 << 16];
static size_t ready_from = 0, ready_to = 0;
static int ended = 0, interrupted = 0, escaped = 0;

static void put(const unsigned char *bytes, size_t length) {
    while (length > 0) {
        ssize_t done = write(STDOUT_FILENO, bytes, length);
        if (done < 0) {
            exit(9);
        }
        bytes += done;
        length -= (size_t)done;
    }
}

/* Through the terminal. */
static void say_bytes(const unsigned char *bytes, size_t length) {
    static unsigned char out[1 << 17];
    while (length > 0) {
        size_t size = 0, taken = 0;
        for (; taken < length && size < sizeof out - 1; taken++) {
            if (bytes[taken] == '\n') {
                out[size++] = '\r';
            }
            out[size++] = bytes[taken];
        }
        put(out, size);
        bytes += taken;
        length -= taken;
    }
}

static void say(const char *text) { say_bytes((const unsigned char *)text, strlen(text)); }

static void hand_over(const unsigned char *bytes, size_t length) {
    if (ready_from == ready_to) {
        ready_from = ready_to = 0;
    }
    if (ready_to + length <= sizeof ready) {
        memcpy(ready + ready_to, bytes, length);
        ready_to += length;
    }
}

/* A byte that comes over the serial line. */
static void typed(unsigned char byte) {
    if (escaped) {
        escaped = 0;
        if (byte == 'x') {
            exit(0);
        }
    } else if (byte == 1) {
        escaped = 1;
        return;
    }
    if (echo) {
        say_bytes(&byte, 1);
    }
    if (raw) {
        hand_over(&byte, 1);
    } else if (byte == 3) {
        interrupted = 1;
    } else if (byte == 4) {
        hand_over(line, held);
        ended = held == 0;
        held = 0;
    } else if (byte == 0x7f) {
        held -= held > 0;
    } else if (byte == 0x15) {
        held = 0;
    } else {
        if (byte == '\r') {
            byte = '\n';
        }
        if (byte == '\n') {
            line[held++] = byte;
            hand_over(line, held);
            held = 0;
        } else if (held < LONGEST_LINE) {
            line[held++] = byte;
        }
    }
}

/* The emulator's loop: waits for input or its own clock, never for one only. */
static void turn(int milliseconds) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int come = poll(&input, 1, milliseconds);
    if (come < 0) {
        exit(8);
    }
    if (come > 0 && ready_to < sizeof ready / 2) {
        unsigned char bytes[128];
        ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
        if (got == 0) {
            exit(1);
        }
        for (ssize_t at = 0; at < got; at++) {
            typed(bytes[at]);
        }
    }
}

/* What the command reads; -1 at the end of its input, -2 when it was interrupted. */
static int next_byte(void) {
    while (ready_from == ready_to) {
        if (interrupted) {
            return -2;
        }
        if (ended) {
            return -1;
        }
        turn(10);
    }
    return ready[ready_from++];
}

/* The commands */

static int lines(int (*answer)(char *text)) {
    static char text[LONGEST_LINE + 1];
    size_t length = 0;
    for (;;) {
        int byte = next_byte();
        if (byte < 0) {
            return byte == -2 ? 130 : 0;
        }
        if (byte != '\n') {
            text[length++] = (char)byte;
            continue;
        }
        text[length] = 0;
        length = 0;
        int status = answer(text);
        if (status >= 0) {
            return status;
        }
    }
}

static int upper(char *text) {
    if (strncmp(text, "exit ", 5) == 0) {
        return atoi(text + 5);
    }
    for (char *at = text; *at; at++) {
        *at = (char)(*at >= 'a' && *at <= 'z' ? *at - 32 : *at);
    }
    say(text);
    say("\n");
    return -1;
}

/* Frames of a length in four bytes and so many bytes, each sent back backwards. */
static int backwards(void) {
    static unsigned char frame[1 << 16];
    for (;;) {
        uint32_t length = 0;
        for (int number = 0; number < 4; number++) {
            int byte = next_byte();
            if (byte < 0) {
                return 0;
            }
            length = length << 8 | (uint32_t)byte;
            frame[number] = (unsigned char)byte;
        }
        if (length > sizeof frame) {
            return 3;
        }
        say_bytes(frame, 4);
        for (uint32_t at = length; at > 0; at--) {
            int byte = next_byte();
            if (byte < 0) {
                return 4;
            }
            frame[at - 1] = (unsigned char)byte;
        }
        say_bytes(frame, length);
    }
}

static int run(int count, char **arguments) {
    const char *command = count > 0 ? arguments[0] : "";
    const char *argument = count > 1 ? arguments[1] : "";
    if (strcmp(command, "upper") == 0) {
        say(argument);
        return lines(upper);
    }
    if (strcmp(command, "backwards") == 0) {
        return backwards();
    }
    if (strcmp(command, "echo") == 0) {
        say(argument);
        say("\n");
        return 0;
    }
    if (strcmp(command, "env") == 0) {
        int at = 1;
        for (; at < count && strchr(arguments[at], '='); at++) {
            putenv(arguments[at]);
        }
        return run(count - at, arguments + at);
    }
    if (strcmp(command, "variable") == 0) {
        say(getenv(argument) ? getenv(argument) : "none");
        say("\n");
        return 0;
    }
    if (strcmp(command, "say") == 0) {
        for (int at = 1; at < count; at++) {
            say(arguments[at]);
            say("\n");
        }
        return 0;
    }
    if (strcmp(command, "bytes") == 0) {
        for (int byte = 0; byte < 256; byte++) {
            unsigned char one = (unsigned char)byte;
            say_bytes(&one, 1);
        }
        return 0;
    }
    if (strcmp(command, "count") == 0) {
        char text[32];
        for (int number = 1; number <= atoi(argument); number++) {
            snprintf(text, sizeof text, "line %d\n", number);
            say(text);
        }
        return 0;
    }
    if (strcmp(command, "hang") == 0) {
        for (;;) {
            turn(10);
        }
    }
    if (strcmp(command, "false") == 0) {
        return 1;
    }
    say("sh: not found\n");
    return 127;
}

/* What our own profile has the shell do: `stty MODES;...;echo TOKEN;"$@";printf ...TOKEN=%d... $?`, and before that maybe taking a point off each word. */
static int shell(const char *script, int count, char **arguments) {
    char token[64] = "", text[128];
    raw = strncmp(script, "stty raw -echo;", 15) == 0;
    echo = !raw && strncmp(script, "stty -echo;", 11) != 0;
    const char *end = strstr(script, ";\"$@\""), *start = end;
    while (start && start > script && start[-1] != ' ') {
        start--;
    }
    if (!end || (size_t)(end - start) >= sizeof token) {
        say("sh: syntax error\n");
        return 2;
    }
    memcpy(token, start, (size_t)(end - start));
    for (int at = 0; strstr(script, "${__%.}") && at < count; at++) {
        size_t length = strlen(arguments[at]);
        if (length > 0 && arguments[at][length - 1] == '.') {
            arguments[at][length - 1] = 0;
        }
    }
    say(token);
    say("\n");
    int status = run(count, arguments);
    snprintf(text, sizeof text, "\037%s=%d\n", token, status);
    say(text);
    return status;
}

static int arrives(const char *word) {
    size_t length = strlen(word);
    return length > 0 && word[length - 1] != '\\' && !((unsigned char)word[length - 1] & 0x80);
}

int main(int count, char **arguments) {
    size_t block = 0;
    for (int at = 0; at < count; at++) {
        block += strlen(arguments[at]) + 1;
    }
    extern char **environ;
    for (char **variable = environ; *variable; variable++) {
        block += strlen(*variable) + 1;
        if (!arrives(*variable)) {
            strchr(*variable, '=')[1] = '?';
        }
    }
    if (block > BLOCK) {
        return 1;
    }
    int at = 1;
    while (at < count && arguments[at][0] == '-') {
        at += strcmp(arguments[at], "-net") == 0 || strcmp(arguments[at], "-mac") == 0 || strcmp(arguments[at], "-entrypoint") == 0 ? 2 : 1;
    }
    for (int word = at; word < count; word++) {
        if (!arrives(arguments[word])) {
            arguments[word] = "?";
        }
    }
    say("machine: booting\n");
    if (count - at >= 4 && strcmp(arguments[at], "sh") == 0 && strcmp(arguments[at + 1], "-c") == 0) {
        shell(arguments[at + 2], count - at - 4, arguments + at + 4);
    } else {
        run(count - at, arguments + at);
    }
    return 0;
}
