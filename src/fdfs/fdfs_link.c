#include "fdfs/fdfs_link.h"

#include "core/address.h"
#include "core/clock.h"
#include "fdfs/fdfs_lookup.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	IDLE_MAX = 256, /* to all servers together */
	PARTS_MAX = 4,
};

struct fdfs_pool {
	pthread_mutex_t lock;
	size_t idle_per_server;
	size_t count; /* the latest is the last: it is the likeliest to be alive */
	struct fdfs_link idle[IDLE_MAX];
};

static bool peer_make(const char *host, uint16_t port, struct fdfs_peer *peer)
{
	struct fdfs_peer made = { .port = port };

	if (port == 0 || strlen(host) >= sizeof made.host)
		return false;
	snprintf(made.host, sizeof made.host, "%s", host);
	if (strchr(made.host, ':') != NULL)
		snprintf(made.text, sizeof made.text, "[%s]:%u", made.host, port);
	else
		snprintf(made.text, sizeof made.text, "%s:%u", made.host, port);
	*peer = made;
	return true;
}

bool fdfs_peer_parse(const char *text, struct fdfs_peer *peer)
{
	struct address address;

	return address_parse(text, &address) && !address.is_unix &&
	       peer_make(address.host, address.port, peer);
}

bool fdfs_peer_at(const char *ip, uint16_t port, struct fdfs_peer *peer)
{
	struct in6_addr addr;

	if (inet_pton(AF_INET, ip, &addr) != 1 && inet_pton(AF_INET6, ip, &addr) != 1)
		return false;
	return peer_make(ip, port, peer);
}

bool fdfs_peer_equal(const struct fdfs_peer *a, const struct fdfs_peer *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

struct fdfs_pool *fdfs_pool_new(size_t idle_per_server)
{
	struct fdfs_pool *pool = calloc(1, sizeof *pool);

	if (pool == NULL)
		abort();
	pthread_mutex_init(&pool->lock, NULL);
	pool->idle_per_server = idle_per_server;
	return pool;
}

void fdfs_pool_free(struct fdfs_pool *pool)
{
	if (pool == NULL)
		return;
	for (size_t i = 0; i < pool->count; i++)
		fdfs_link_drop(&pool->idle[i]);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void fdfs_link_drop(struct fdfs_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

/* Take the entry at `i` out, with the lock held. */
static struct fdfs_link pool_take(struct fdfs_pool *pool, size_t i)
{
	struct fdfs_link link = pool->idle[i];

	pool->count--;
	memmove(&pool->idle[i], &pool->idle[i + 1], (pool->count - i) * sizeof pool->idle[0]);
	return link;
}

static bool pool_find(struct fdfs_pool *pool, const struct fdfs_peer *peer, struct fdfs_link *link)
{
	bool found = false;

	pthread_mutex_lock(&pool->lock);
	for (size_t i = pool->count; i-- > 0 && !found;) {
		if (fdfs_peer_equal(&pool->idle[i].peer, peer)) {
			*link = pool_take(pool, i);
			found = true;
		}
	}
	pthread_mutex_unlock(&pool->lock);
	return found;
}

void fdfs_link_keep(struct fdfs_pool *pool, struct fdfs_link *link)
{
	struct fdfs_link surplus = { .fd = -1 };
	size_t same = 0, oldest = 0;

	if (pool->idle_per_server == 0) {
		fdfs_link_drop(link);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	for (size_t i = pool->count; i-- > 0;) {
		if (fdfs_peer_equal(&pool->idle[i].peer, &link->peer)) {
			same++;
			oldest = i;
		}
	}
	if (same >= pool->idle_per_server)
		surplus = pool_take(pool, oldest);
	else if (pool->count == IDLE_MAX)
		surplus = pool_take(pool, 0);
	pool->idle[pool->count++] = *link;
	pthread_mutex_unlock(&pool->lock);
	link->fd = -1;
	fdfs_link_drop(&surplus);
}

/* Between two requests a peer has nothing to say: readable means closed, or a peer
 * that talks out of turn. */
static bool looks_alive(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Wait for `events`.  Returns what happened, 0 at the deadline. */
static short wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline - clock_mono_ms();
		int ready;

		if (left <= 0)
			return 0;
		ready = poll(&poll_fd, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (ready > 0)
			return poll_fd.revents;
		if (ready < 0 && errno != EINTR)
			return POLLERR;
	}
}

static int connect_address(
	const struct addrinfo *addr, const char *text, int64_t deadline, int *out, struct err *err)
{
	int fd = socket(addr->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failure = 0, one = 1;
	socklen_t len = sizeof failure;

	if (fd < 0)
		return err_errno(err, "%s: cannot make a socket", text);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, addr->ai_addr, addr->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			failure = errno;
		else if (wait_for(fd, POLLOUT, deadline) == 0)
			failure = ETIMEDOUT;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0)
			failure = errno;
	}
	if (failure != 0) {
		close(fd);
		return err_set(
			err, ERR_UNREACHABLE, "%s: cannot connect: %s", text, strerror(failure));
	}
	*out = fd;
	return 0;
}

static int link_connect(
	const struct fdfs_peer *peer, int64_t deadline, struct fdfs_link *link, struct err *err)
{
	struct addrinfo *found = NULL;
	int fd = -1;

	if (fdfs_lookup(peer->host, peer->port, deadline, &found, err) < 0)
		return err_prefix(err, "%s", peer->text);
	for (struct addrinfo *addr = found; addr != NULL && fd < 0; addr = addr->ai_next)
		connect_address(addr, peer->text, deadline, &fd, err);
	freeaddrinfo(found);
	if (fd < 0)
		return -1;
	*link = (struct fdfs_link){ .fd = fd, .peer = *peer };
	return 0;
}

int fdfs_link_open(struct fdfs_pool *pool, const struct fdfs_peer *peer, bool fresh,
	int64_t connect_ms, int64_t deadline, struct fdfs_link *link, struct err *err)
{
	int64_t now = clock_mono_ms();
	struct fdfs_link idle;

	if (now >= deadline)
		return err_set(err, ERR_TIMEOUT, "%s: no time left to connect", peer->text);
	while (pool_find(pool, peer, &idle)) {
		if (!fresh && looks_alive(idle.fd)) {
			*link = idle;
			link->reused = true;
			return 0;
		}
		fdfs_link_drop(&idle);
	}
	if (now + connect_ms < deadline)
		deadline = now + connect_ms;
	return link_connect(peer, deadline, link, err);
}

static int timed_out(const struct fdfs_link *link, const char *doing, struct err *err)
{
	return err_set(
		err, ERR_TIMEOUT, "%s: no progress in time while %s", link->peer.text, doing);
}

static int went_away(const struct fdfs_link *link, const char *why, struct err *err)
{
	return err_set(err, ERR_UNREACHABLE, "%s: %s", link->peer.text, why);
}

/* The parts behind the first `done` bytes of them. */
static size_t remaining(
	const struct span *parts, size_t count, size_t done, struct iovec out[PARTS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (done >= parts[i].len) {
			done -= parts[i].len;
			continue;
		}
		out[n++] = (struct iovec){ (void *)(uintptr_t)(parts[i].data + done),
			parts[i].len - done };
		done = 0;
	}
	return n;
}

int fdfs_link_send(struct fdfs_link *link, const struct span *parts, size_t count, int64_t deadline,
	size_t *sent, struct err *err)
{
	struct iovec iov[PARTS_MAX];

	assert(count <= PARTS_MAX);
	for (;;) {
		struct msghdr message = { .msg_iov = iov };
		ssize_t n;
		short ready;

		message.msg_iovlen = remaining(parts, count, *sent, iov);
		if (message.msg_iovlen == 0)
			return 0;
		n = sendmsg(link->fd, &message, MSG_NOSIGNAL);
		if (n >= 0) {
			*sent += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* Its last words may still be there to read. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return went_away(link, strerror(errno), err);
		ready = wait_for(link->fd, POLLOUT | POLLIN, deadline);
		if (ready == 0)
			return timed_out(link, "sending", err);
		if ((ready & (POLLIN | POLLERR | POLLHUP)) != 0)
			return 0;
	}
}

int fdfs_link_recv(struct fdfs_link *link, void *out, size_t len, int64_t deadline, size_t *got,
	struct err *err)
{
	while (*got < len) {
		ssize_t n = recv(link->fd, (uint8_t *)out + *got, len - *got, 0);

		if (n > 0)
			*got += (size_t)n;
		else if (n == 0)
			return went_away(link, "the connection was closed", err);
		else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (wait_for(link->fd, POLLIN, deadline) == 0)
				return timed_out(link, "waiting for an answer", err);
		} else if (errno != EINTR)
			return went_away(link, strerror(errno), err);
	}
	return 0;
}
