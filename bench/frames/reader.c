/* Reads frames from the socket that it is given, counts them by their length fields, and acknowledges: reader FD count, or reader FD empty to only empty it.
 * reader.py becomes this one, when it is connected, where there is a C compiler: so the reader takes next to nothing of the processors' time.
 *
 * It counts every frame of a lane, which is well as long as nothing without a number comes: the benchmark's server does not ping.
 */

#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* An engine acknowledges once in a tick. This one does so after so many bytes, or when nothing has come for a millisecond. */
#define TICK_BYTES (512 * 1024)
#define TICK_MS 1

/* Up to the first letter of the first key: length, header and count, then the key's type and length. */
#define HEAD 21

static unsigned char room[256 * 1024];

static unsigned char *word(unsigned char *at, uint32_t value) {
  for (int byte = 0; byte < 4; byte++) *at++ = (unsigned char)(value >> (8 * byte));
  return at;
}

static unsigned char *text(unsigned char *at, const char *value) {
  uint32_t size = (uint32_t)strlen(value);
  at = word(word(at, 4), size);
  memset(at, 0, (size + 3) & ~3u);
  memcpy(at, value, size);
  return at + ((size + 3) & ~3u);
}

static unsigned char *integer(unsigned char *at, uint64_t value) {
  return word(word(word(at, 0x10002), (uint32_t)value), (uint32_t)(value >> 32));
}

static void acknowledge(int peer, uint64_t live, uint64_t bulk) {
  unsigned char frame[256], *at = word(word(frame + 4, 27), 4);
  at = text(text(at, "t"), "ack");
  at = integer(text(at, "seq"), live);
  at = integer(text(at, "bulk"), bulk);
  at = integer(text(at, "work"), 0);
  uint32_t size = htonl((uint32_t)(at - frame - 4));
  memcpy(frame, &size, 4);
  for (unsigned char *from = frame; from < at;) {
    ssize_t sent = send(peer, from, (size_t)(at - from), MSG_NOSIGNAL);
    if (sent <= 0) exit(0);
    from += sent;
  }
}

static void count(int peer) {
  uint64_t live = 0, bulk = 0, since = 0;
  /* What is left of a frame that has begun, and bytes of a head that is not whole. */
  size_t skip = 0, kept = 0;
  int is_live = 1;
  struct pollfd readable = {.fd = peer, .events = POLLIN};

  for (;;) {
    if (since > 0 && (since >= TICK_BYTES || poll(&readable, 1, TICK_MS) == 0)) {
      uint64_t begun = skip > 0;
      acknowledge(peer, live - (is_live ? begun : 0), bulk - (is_live ? 0 : begun));
      since = 0;
    }
    ssize_t got = recv(peer, room + kept, sizeof room - kept, 0);
    if (got <= 0) return;
    since += (uint64_t)got;
    size_t end = kept + (size_t)got, at = 0;
    for (;;) {
      size_t step = skip < end - at ? skip : end - at;
      skip -= step;
      at += step;
      if (skip > 0 || end - at < HEAD) break;
      uint32_t length;
      memcpy(&length, room + at, 4);
      is_live = room[at + 20] == 's';
      if (is_live) live++;
      else bulk++;
      skip = (size_t)ntohl(length) + 4;
    }
    kept = end - at;
    memmove(room, room + at, kept);
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 1;
  int peer = atoi(argv[1]);
  if (strcmp(argv[2], "count") == 0) count(peer);
  else while (recv(peer, room, sizeof room, 0) > 0) continue;
  return 0;
}
