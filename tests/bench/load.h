/* load.h - what the load drivers share: connections, times, the report.
 *
 * A driver is one thread with an epoll loop, so that it leaves the other cores to the
 * servers that it measures.  Whatever goes wrong on its own side (a wrong option, no
 * memory) ends it with a sentence on stderr and exit status 2. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

/* Print "<program>: <sentence>" and exit with status 2. */
_Noreturn void load_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The number in `text`, within min and max, or load_die. */
long load_number(const char *text, long min, long max);

/* Connect to "a.b.c.d:port", waiting for it, and make the socket non-blocking. */
int load_connect(const char *address);

/* Up to `max` bytes that have come; 0 if none have yet.  A connection that ends is load_die. */
size_t load_receive(int fd, const char *address, void *to, size_t max);

/* The connections of a run, and what each of them waits for (EPOLLIN, EPOLLOUT). */
struct load_loop {
	int epoll;
	const char *address;
	int silence_ms; /* a server that answers nobody for so long is stuck: load_die */
	struct epoll_event events[64];
};

void load_loop_init(struct load_loop *loop, const char *address, int silence_ms);
void load_loop_fini(struct load_loop *loop);
void load_loop_add(struct load_loop *loop, int fd, uint32_t events, void *conn);
void load_loop_change(struct load_loop *loop, int fd, uint32_t events, void *conn);

/* Wait; returns how many of `events` there are. */
int load_loop_wait(struct load_loop *loop);

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
