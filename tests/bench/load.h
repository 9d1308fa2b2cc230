/* load.h - what the load drivers share: connections, times, the report.
 *
 * A driver is one thread with an epoll loop, so that it leaves the other cores to the
 * servers that it measures.  Whatever goes wrong on its own side (a wrong option, no
 * memory) ends it with a sentence on stderr and exit status 2. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Print "<program>: <sentence>" and exit with status 2. */
_Noreturn void load_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The number in `text`, within min and max, or load_die. */
long load_number(const char *text, long min, long max);

/* Connect to "a.b.c.d:port", waiting for it, and make the socket non-blocking. */
int load_connect(const char *address);

/* Answer times of one run.  Zero it first. */
struct load_times {
	uint32_t *us;
	size_t count, cap;
	int64_t first_us, last_us; /* start of the first and end of the last request */
};

void load_times_add(struct load_times *times, int64_t start_us, int64_t end_us);

/* Print the run as one JSON object on a line: requests, wrong, seconds, rate, p50_us,
 * p99_us, checked (answers whose content was compared) and bytes.  Frees the times. */
void load_report(struct load_times *times, size_t wrong, size_t checked, uint64_t bytes);
