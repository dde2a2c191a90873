/* witness: a guest that tells from inside what a move did to it.
 *
 * witness BEAT RATE SPAN DISK EVERY
 *   BEAT  milliseconds between two beats
 *   RATE  MiB of memory changed a second, 0 for none
 *   SPAN  MiB of the working set, the memory that changes
 *   DISK  a block device for numbered records, or none
 *   EVERY milliseconds between two records
 *
 * On standard output, `beat NUMBER REALTIME BOOTTIME MONOTONIC DISK MIB`: three clocks in microseconds, the newest
 * record that is safely on the disk, and the MiB of memory changed so far. CLOCK_BOOTTIME counts a pause of the guest
 * and CLOCK_MONOTONIC does not.
 *
 * On the disk, 4 KiB records written with O_DIRECT and made safe with fsync before the next: record n at block
 * (n - 1) modulo the blocks there are. Read by records.py, which knows the same layout.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MIB = 1 << 20, TICK_MS = 50 };

struct shared { volatile uint64_t disk, changed; };

struct record {
  char mark[8];
  uint64_t run, number, realtime, boottime, monotonic;
  uint8_t filling[PAGE - 8 - 5 * 8 - 8];
  uint64_t sum;
};
_Static_assert(sizeof(struct record) == PAGE, "a record is one page");

static uint64_t now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Sleep until the next of a row of moments; those that were missed are not made up for. */
static void next_moment(uint64_t *moment, uint64_t every) {
  uint64_t current = now(CLOCK_MONOTONIC);
  *moment = *moment + every > current ? *moment + every : current;
  struct timespec t = {(time_t)(*moment / 1000000), (long)(*moment % 1000000) * 1000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

static void change_memory(struct shared *said, unsigned long rate, unsigned long span) {
  size_t size = span * MIB, place = 0;
  uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) { printf("witness: no memory for a working set of %lu MiB\n", span); _exit(1); }
  uint64_t moment = now(CLOCK_MONOTONIC), pages = 0, owed = 0;
  for (;;) {
    for (owed += rate * (MIB / PAGE) * TICK_MS; owed >= 1000; owed -= 1000, pages++) {
      *(volatile uint64_t *)(memory + place) = pages;
      place = (place + PAGE) % size;
    }
    said->changed = pages / (MIB / PAGE);
    next_moment(&moment, TICK_MS * 1000);
  }
}

/* CRC-32 as zlib counts it, over all of a record but the sum itself. */
static uint64_t checksum(const struct record *record) {
  static uint32_t table[256];
  for (uint32_t n = 0; !table[255] && n < 256; n++) {
    table[n] = n;
    for (int bit = 0; bit < 8; bit++) table[n] = table[n] & 1 ? 0xedb88320u ^ table[n] >> 1 : table[n] >> 1;
  }
  uint32_t sum = ~0u;
  for (size_t n = 0; n < PAGE - 8; n++) sum = table[(sum ^ ((const uint8_t *)record)[n]) & 255] ^ sum >> 8;
  return (uint32_t)~sum;
}

static void write_records(struct shared *said, const char *disk, unsigned long every) {
  int file = open(disk, O_WRONLY | O_DIRECT);
  uint64_t size = 0;
  if (file < 0 || ioctl(file, BLKGETSIZE64, &size)) { printf("witness: %s: %s\n", disk, strerror(errno)); _exit(1); }
  struct record *record = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(record->mark, "WITNESS1", 8);
  record->run = now(CLOCK_REALTIME);
  uint64_t moment = now(CLOCK_MONOTONIC);
  for (record->number = 1;; record->number++) {
    memset(record->filling, (int)(record->number % 251), sizeof record->filling);
    record->realtime = now(CLOCK_REALTIME);
    record->boottime = now(CLOCK_BOOTTIME);
    record->monotonic = now(CLOCK_MONOTONIC);
    record->sum = checksum(record);
    off_t place = (off_t)((record->number - 1) % (size / PAGE)) * PAGE;
    if (pwrite(file, record, PAGE, place) != PAGE || fsync(file)) {
      printf("witness: record %llu: %s\n", (unsigned long long)record->number, strerror(errno));
      _exit(1);
    }
    said->disk = record->number;
    next_moment(&moment, every * 1000);
  }
}

int main(int count, char **words) {
  if (count != 6) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  unsigned long beat = strtoul(words[1], NULL, 10), rate = strtoul(words[2], NULL, 10), span = strtoul(words[3], NULL, 10);
  struct shared *said = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (said == MAP_FAILED || beat == 0) return 2;
  if (rate && span && !fork()) change_memory(said, rate, span);
  if (strcmp(words[4], "none") && !fork()) write_records(said, words[4], strtoul(words[5], NULL, 10));
  uint64_t moment = now(CLOCK_MONOTONIC);
  for (uint64_t number = 1;; number++) {
    printf("beat %llu %llu %llu %llu %llu %llu\n", (unsigned long long)number, (unsigned long long)now(CLOCK_REALTIME),
           (unsigned long long)now(CLOCK_BOOTTIME), (unsigned long long)now(CLOCK_MONOTONIC),
           (unsigned long long)said->disk, (unsigned long long)said->changed);
    next_moment(&moment, beat * 1000);
  }
}
