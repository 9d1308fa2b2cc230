#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void load_die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

long load_number(const char *text, long min, long max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
		load_die("'%s' is no number from %ld to %ld", text, min, max);
	return value;
}

int load_connect(const char *address)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	const char *colon = strrchr(address, ':');
	char host[16];
	int fd, one = 1;

	if (colon == NULL || (size_t)(colon - address) >= sizeof host)
		load_die("'%s' is no a.b.c.d:port", address);
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = '\0';
	to.sin_port = htons((uint16_t)load_number(colon + 1, 1, UINT16_MAX));
	if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
		load_die("'%s' is no a.b.c.d:port", address);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		load_die("cannot connect to %s: %s", address, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		load_die("cannot set up a socket: %s", strerror(errno));
	return fd;
}

size_t load_receive(int fd, const char *address, void *to, size_t max)
{
	ssize_t got = recv(fd, to, max, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		load_die("%s closed a connection", address);
	return (size_t)got;
}

void load_loop_init(struct load_loop *loop, const char *address, int silence_ms)
{
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->address = address;
	loop->silence_ms = silence_ms;
}

void load_loop_fini(struct load_loop *loop)
{
	close(loop->epoll);
}

static void control(struct load_loop *loop, int how, int fd, uint32_t events, void *conn)
{
	struct epoll_event event = { .events = events, .data.ptr = conn };

	if (epoll_ctl(loop->epoll, how, fd, &event) != 0)
		load_die("epoll: %s", strerror(errno));
}

void load_loop_add(struct load_loop *loop, int fd, uint32_t events, void *conn)
{
	control(loop, EPOLL_CTL_ADD, fd, events, conn);
}

void load_loop_change(struct load_loop *loop, int fd, uint32_t events, void *conn)
{
	control(loop, EPOLL_CTL_MOD, fd, events, conn);
}

int load_loop_wait(struct load_loop *loop)
{
	int ready = epoll_wait(loop->epoll, loop->events,
		(int)(sizeof loop->events / sizeof loop->events[0]), loop->silence_ms);

	if (ready == 0)
		load_die("%s has been silent for %d ms", loop->address, loop->silence_ms);
	return ready;
}

void load_times_add(struct load_times *times, int64_t start_us, int64_t end_us)
{
	int64_t took = end_us - start_us;

	if (times->count == times->cap) {
		times->cap = times->cap == 0 ? 65536 : times->cap * 2;
		times->us = reallocarray(times->us, times->cap, sizeof *times->us);
		if (times->us == NULL)
			load_die("out of memory");
	}
	if (times->count == 0 || start_us < times->first_us)
		times->first_us = start_us;
	if (times->count == 0 || end_us > times->last_us)
		times->last_us = end_us;
	times->us[times->count++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void load_report(struct load_times *times, size_t wrong, size_t checked, uint64_t bytes)
{
	size_t count = times->count;
	double seconds = (double)(times->last_us - times->first_us) / 1e6;

	if (count == 0)
		load_die("not one request was answered");
	qsort(times->us, count, sizeof *times->us, by_value);
	printf("{\"requests\":%zu,\"wrong\":%zu,\"checked\":%zu,\"bytes\":%" PRIu64
	       ",\"seconds\":%.4f,\"rate\":%.1f,\"p50_us\":%" PRIu32 ",\"p99_us\":%" PRIu32 "}\n",
		count, wrong, checked, bytes, seconds, (double)count / seconds,
		times->us[count / 2], times->us[count * 99 / 100]);
	free(times->us);
	*times = (struct load_times){ 0 };
}
