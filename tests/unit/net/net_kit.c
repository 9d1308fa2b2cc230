#include "net_kit.h"

#include "net/bind.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int net_kit_listen(struct net_kit *kit, const char *allowed)
{
	char *items[] = { (char *)(uintptr_t)allowed };
	socklen_t len = sizeof kit->address;
	struct err err = { 0 };
	int fd;

	sem_init(&kit->holds, 0, 0);
	assert_int_equal(allow_init(&kit->allow, items, 1, &err), 0);
	fd = bind_listen("127.0.0.1:0", 0, 16, &err);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&kit->address, &len), 0);
	kit->loop = net_loop_new(&err);
	assert_non_null(kit->loop);
	return fd;
}

static void *run(void *loop)
{
	assert_int_equal(net_loop_run(loop, NULL), 0);
	return NULL;
}

void net_kit_run(struct net_kit *kit)
{
	assert_int_equal(pthread_create(&kit->thread, NULL, run, kit->loop), 0);
}

void net_kit_join(struct net_kit *kit)
{
	pthread_join(kit->thread, NULL);
}

void net_kit_fini(struct net_kit *kit)
{
	net_loop_free(kit->loop);
	allow_fini(&kit->allow);
	sem_destroy(&kit->holds);
}

int net_kit_dial(const struct net_kit *kit)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval patience = { .tv_sec = 60 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(
		connect(fd, (const struct sockaddr *)&kit->address, sizeof kit->address), 0);
	return fd;
}

void net_kit_send(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		assert_true(sent > 0);
		bytes = span_of(bytes.data + sent, bytes.len - (size_t)sent);
	}
}

void net_kit_expect_closed(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
	close(fd);
}
