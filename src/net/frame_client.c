#include "net/frame_client.h"

#include "core/address.h"
#include "core/clock.h"
#include "net/sockaddr.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IDLE = 16, MAX_PACKAGE = 1 << 20 };

struct frame_client {
	struct frame_client_conf conf;
	char *address;
	_Atomic uint32_t seq;
	pthread_mutex_t lock;
	int *idle; /* the latest is the last: it is the likeliest to be alive */
	size_t idle_count;
};

/* One call on one connection. */
struct attempt {
	struct frame_client *client;
	int fd;
	bool reused;
	bool sent; /* all of it: the peer may have done it */
	int64_t deadline;
};

struct frame_client *frame_client_new(const struct frame_client_conf *conf, struct err *err)
{
	struct frame_client *client;
	struct address address;

	if (!address_parse(conf->address, &address) || (!address.is_unix && address.port == 0)) {
		err_set(err, ERR_CONFIG,
			"'%.80s' is not an address: host:port, [v6]:port or unix:/path",
			conf->address);
		return NULL;
	}
	client = calloc(1, sizeof *client);
	assert(client != NULL);
	client->conf = *conf;
	if (client->conf.idle == 0)
		client->conf.idle = IDLE;
	if (client->conf.max_package == 0)
		client->conf.max_package = MAX_PACKAGE;
	client->address = strdup(conf->address);
	client->idle = calloc(client->conf.idle, sizeof *client->idle);
	assert(client->address != NULL && client->idle != NULL);
	client->conf.address = client->address;
	pthread_mutex_init(&client->lock, NULL);
	return client;
}

void frame_client_free(struct frame_client *client)
{
	if (client == NULL)
		return;
	for (size_t i = 0; i < client->idle_count; i++)
		close(client->idle[i]);
	pthread_mutex_destroy(&client->lock);
	free(client->idle);
	free(client->address);
	free(client);
}

/* ---- connections ---- */

/* An idle connection on which there is something to read has ended, or is out of step. */
static bool looks_alive(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static int take_idle(struct frame_client *client)
{
	int fd = -1;

	pthread_mutex_lock(&client->lock);
	while (fd < 0 && client->idle_count > 0) {
		fd = client->idle[--client->idle_count];
		if (!looks_alive(fd)) {
			close(fd);
			fd = -1;
		}
	}
	pthread_mutex_unlock(&client->lock);
	return fd;
}

static void keep(struct frame_client *client, int fd)
{
	pthread_mutex_lock(&client->lock);
	if (client->idle_count < client->conf.idle) {
		client->idle[client->idle_count++] = fd;
		fd = -1;
	}
	pthread_mutex_unlock(&client->lock);
	if (fd >= 0)
		close(fd);
}

/* Wait for `events`; false if the deadline passes first. */
static bool wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline - clock_mono_ms();
		int got;

		if (left <= 0)
			return false;
		got = poll(&poll_fd, 1, left > INT32_MAX ? INT32_MAX : (int)left);
		if (got > 0)
			return true;
		if (got < 0 && errno != EINTR)
			return true; /* the call that follows says what is wrong */
	}
}

static int cannot_connect(const struct frame_client *client, int error, struct err *err)
{
	return err_set(err, ERR_SERVICE_DOWN, "cannot connect to %s: %s", client->address,
		strerror(error));
}

static int dial(struct attempt *attempt, struct err *err)
{
	struct frame_client *client = attempt->client;
	int64_t deadline = clock_mono_ms() + client->conf.connect_ms;
	struct sockaddr_storage address;
	socklen_t len, error_len = sizeof(int);
	int on = 1, error = 0;

	if (deadline > attempt->deadline)
		deadline = attempt->deadline;
	if (sockaddr_resolve(client->address, &address, &len, err) != 0) {
		err->code = ERR_SERVICE_DOWN;
		return -1;
	}
	attempt->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (attempt->fd < 0)
		return err_errno(err, "cannot make a socket");
	if (connect(attempt->fd, (struct sockaddr *)&address, len) != 0) {
		if (errno != EINPROGRESS && errno != EINTR)
			return cannot_connect(client, errno, err);
		if (!wait_for(attempt->fd, POLLOUT, deadline))
			return cannot_connect(client, ETIMEDOUT, err);
		getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
		if (error != 0)
			return cannot_connect(client, error, err);
	}
	if (address.ss_family != AF_UNIX)
		setsockopt(attempt->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return 0;
}

/* ---- a package there and one back ---- */

static int lost(const struct attempt *attempt, const char *why, struct err *err)
{
	return err_set(err, attempt->sent ? ERR_UNKNOWN : ERR_SERVICE_DOWN, "%s %s",
		attempt->client->address, why);
}

static int send_all(struct attempt *attempt, struct span bytes, struct err *err)
{
	while (bytes.len > 0) {
		ssize_t sent = send(attempt->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		if (sent > 0)
			bytes = span_of(bytes.data + sent, bytes.len - (size_t)sent);
		else if (sent < 0 && errno == EAGAIN) {
			if (!wait_for(attempt->fd, POLLOUT, attempt->deadline))
				return err_set(err, ERR_TIMEOUT, "%s does not take the request",
					attempt->client->address);
		} else if (sent == 0 || errno != EINTR)
			return lost(attempt, "closed the connection", err);
	}
	attempt->sent = true;
	return 0;
}

static int receive(struct attempt *attempt, uint8_t *out, size_t len, struct err *err)
{
	while (len > 0) {
		ssize_t got;

		if (!wait_for(attempt->fd, POLLIN, attempt->deadline))
			return err_set(err, ERR_UNKNOWN, "%s did not answer in time",
				attempt->client->address);
		got = recv(attempt->fd, out, len, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return lost(attempt, "closed the connection instead of an answer", err);
		if (got > 0) {
			out += got;
			len -= (size_t)got;
		}
	}
	return 0;
}

static int receive_reply(struct attempt *attempt, const struct package *request,
	struct package *reply, struct buf *body, struct err *err)
{
	struct frame_client *client = attempt->client;
	uint8_t header[PACKAGE_HEADER_LEN], *room;
	uint32_t len;

	if (receive(attempt, header, sizeof header, err) != 0)
		return -1;
	if (!package_header_decode(header, client->conf.order, reply) ||
		reply->len > client->conf.max_package || reply->cmd != request->cmd ||
		reply->seq != request->seq)
		return err_set(err, ERR_CORRUPT,
			"the reply of %s makes no sense: is byte_order the same there?",
			client->address);
	len = reply->len - PACKAGE_HEADER_LEN;
	room = buf_reserve(body, len);
	if (room == NULL)
		return err_set(err, ERR_TOO_LARGE, "the reply of %s is longer than is of use",
			client->address);
	if (receive(attempt, room, len, err) != 0)
		return -1;
	body->len += len;
	return 0;
}

static int try_call(struct attempt *attempt, const struct package *package, struct span request,
	struct package *reply, struct buf *body, struct err *err)
{
	int result = 0;

	attempt->reused = attempt->fd >= 0;
	attempt->sent = false;
	if (!attempt->reused)
		result = dial(attempt, err);
	if (result == 0)
		result = send_all(attempt, request, err);
	if (result == 0)
		result = receive_reply(attempt, package, reply, body, err);
	if (result == 0)
		keep(attempt->client, attempt->fd);
	else if (attempt->fd >= 0)
		close(attempt->fd);
	attempt->fd = -1;
	return result;
}

int frame_client_call(struct frame_client *client, const struct frame_call *call,
	struct buf *reply_body, struct err *err)
{
	struct package package = { .cmd = call->cmd, .id = call->id, .seq = ++client->seq };
	struct attempt attempt = {
		.client = client,
		.deadline = clock_mono_ms() + client->conf.timeout_ms,
	};
	struct package reply = { 0 };
	struct buf request, ignored;
	struct err own;
	size_t at;
	int result;

	if (err == NULL)
		err = &own;
	buf_init(&ignored, client->conf.max_package);
	buf_init(&request, PACKAGE_HEADER_LEN + call->body.len);
	at = package_begin(&request, &package, client->conf.order);
	buf_put_span(&request, call->body);
	package_end(&request, at, client->conf.order);
	assert(buf_ok(&request));
	if (reply_body == NULL)
		reply_body = &ignored;
	buf_clear(reply_body);
	attempt.fd = take_idle(client);
	result = try_call(&attempt, &package, buf_span(&request), &reply, reply_body, err);
	/* The peer may have closed the idle connection just now: that is no answer. */
	if (result != 0 && attempt.reused && clock_mono_ms() < attempt.deadline &&
		(!attempt.sent || (call->repeat == FRAME_REPEAT && err->code == ERR_UNKNOWN))) {
		buf_clear(reply_body);
		result = try_call(&attempt, &package, buf_span(&request), &reply, reply_body, err);
	}
	if (result == 0 && reply.ret != RET_OK)
		result = err_set(
			err, ret_to_err(reply.ret), "%s", err_meaning(ret_to_err(reply.ret)));
	buf_fini(&request);
	buf_fini(&ignored);
	return result;
}
