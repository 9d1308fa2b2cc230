#include "fake_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

enum { CONNECTIONS_MAX = 32, REQUEST_MAX = 1 << 20, LAST_MAX = 4096 };

struct connection {
	int fd;
	uint8_t *bytes;
	size_t len;
};

struct fake_server {
	size_t (*whole)(const uint8_t *bytes, size_t len);
	const struct fake_answer *answers;
	size_t count;
	int listener, wake[2], done[2];
	uint16_t port;
	char address[32];
	pthread_t thread;
	struct connection connections[CONNECTIONS_MAX];

	pthread_mutex_t lock; /* of what is below */
	size_t next;
	int requests, accepted;
	uint8_t last[LAST_MAX];
	size_t last_len;
};

static int listen_somewhere(uint16_t *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 32) < 0 ||
		getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		abort();
	*port = ntohs(addr.sin_port);
	return fd;
}

uint16_t fake_server_dead_port(void)
{
	uint16_t port;

	close(listen_somewhere(&port));
	return port;
}

static void drop(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	free(connection->bytes);
	*connection = (struct connection){ .fd = -1 };
}

static void take_connection(struct fake_server *server)
{
	int fd = accept(server->listener, NULL, NULL), one = 1;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	for (int i = 0; i < CONNECTIONS_MAX; i++) {
		if (server->connections[i].fd < 0) {
			server->connections[i].fd = fd;
			server->connections[i].bytes = malloc(REQUEST_MAX);
			pthread_mutex_lock(&server->lock);
			server->accepted++;
			pthread_mutex_unlock(&server->lock);
			return;
		}
	}
	abort();
}

static const struct fake_answer *next_answer(
	struct fake_server *server, const uint8_t *request, size_t len)
{
	const struct fake_answer *answer;

	pthread_mutex_lock(&server->lock);
	answer = &server->answers[server->next];
	if (server->next + 1 < server->count)
		server->next++;
	server->requests++;
	server->last_len = len < LAST_MAX ? len : LAST_MAX;
	memcpy(server->last, request, server->last_len);
	pthread_mutex_unlock(&server->lock);
	return answer;
}

static void give(struct connection *connection, const struct fake_answer *answer)
{
	size_t step = answer->bytewise ? 1 : answer->len;

	for (size_t at = 0; at < answer->len && !answer->hang; at += step)
		if (send(connection->fd, (const uint8_t *)answer->data + at, step, MSG_NOSIGNAL) <
			0)
			break;
	if (answer->close)
		drop(connection);
}

static void take_bytes(struct fake_server *server, struct connection *connection)
{
	ssize_t n = recv(connection->fd, connection->bytes + connection->len,
		REQUEST_MAX - connection->len, 0);

	if (n <= 0) {
		drop(connection);
		return;
	}
	connection->len += (size_t)n;
	while (connection->fd >= 0 && connection->len > 0) {
		size_t whole = server->whole(connection->bytes, connection->len);
		bool early = server->answers[server->next].early;

		if (whole == 0 && !early)
			return;
		if (whole == 0)
			whole = connection->len;
		give(connection, next_answer(server, connection->bytes, whole));
		if (connection->fd < 0)
			return;
		connection->len -= whole;
		memmove(connection->bytes, connection->bytes + whole, connection->len);
	}
}

static void *serve(void *context)
{
	struct fake_server *server = context;

	for (;;) {
		struct pollfd fds[CONNECTIONS_MAX + 2] = {
			{ .fd = server->listener, .events = POLLIN },
			{ .fd = server->wake[0], .events = POLLIN },
		};
		char what;

		for (int i = 0; i < CONNECTIONS_MAX; i++)
			fds[i + 2] = (struct pollfd){ server->connections[i].fd, POLLIN, 0 };
		poll(fds, CONNECTIONS_MAX + 2, -1);
		if (fds[1].revents != 0) {
			if (read(server->wake[0], &what, 1) != 1 || what == 'q')
				return NULL;
			for (int i = 0; i < CONNECTIONS_MAX; i++)
				drop(&server->connections[i]);
			if (write(server->done[1], "d", 1) != 1)
				abort();
			continue;
		}
		if (fds[0].revents != 0)
			take_connection(server);
		for (int i = 0; i < CONNECTIONS_MAX; i++)
			if (fds[i + 2].fd >= 0 && fds[i + 2].revents != 0)
				take_bytes(server, &server->connections[i]);
	}
}

struct fake_server *fake_server_start(size_t (*whole)(const uint8_t *bytes, size_t len),
	const struct fake_answer *answers, size_t count)
{
	struct fake_server *server = calloc(1, sizeof *server);

	if (server == NULL || pipe(server->wake) < 0 || pipe(server->done) < 0)
		abort();
	server->whole = whole;
	server->answers = answers;
	server->count = count;
	server->listener = listen_somewhere(&server->port);
	snprintf(server->address, sizeof server->address, "127.0.0.1:%u", server->port);
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		server->connections[i].fd = -1;
	pthread_mutex_init(&server->lock, NULL);
	if (pthread_create(&server->thread, NULL, serve, server) != 0)
		abort();
	return server;
}

void fake_server_stop(struct fake_server *server)
{
	if (write(server->wake[1], "q", 1) != 1)
		abort();
	pthread_join(server->thread, NULL);
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		drop(&server->connections[i]);
	close(server->listener);
	for (int i = 0; i < 2; i++) {
		close(server->wake[i]);
		close(server->done[i]);
	}
	pthread_mutex_destroy(&server->lock);
	free(server);
}

void fake_server_hang_up(struct fake_server *server)
{
	char done;

	if (write(server->wake[1], "h", 1) != 1 || read(server->done[0], &done, 1) != 1)
		abort();
}

uint16_t fake_server_port(const struct fake_server *server)
{
	return server->port;
}

const char *fake_server_address(const struct fake_server *server)
{
	return server->address;
}

int fake_server_requests(struct fake_server *server)
{
	int count;

	pthread_mutex_lock(&server->lock);
	count = server->requests;
	pthread_mutex_unlock(&server->lock);
	return count;
}

int fake_server_connections(struct fake_server *server)
{
	int count;

	pthread_mutex_lock(&server->lock);
	count = server->accepted;
	pthread_mutex_unlock(&server->lock);
	return count;
}

size_t fake_server_last(struct fake_server *server, uint8_t out[4096])
{
	size_t len;

	pthread_mutex_lock(&server->lock);
	len = server->last_len;
	memcpy(out, server->last, len);
	pthread_mutex_unlock(&server->lock);
	return len;
}
