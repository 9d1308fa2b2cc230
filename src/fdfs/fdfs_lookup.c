#include "fdfs/fdfs_lookup.h"

#include "core/clock.h"
#include "core/steady_cond.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of two: the thread that asks the resolver, and who waits for it.  The last one frees it. */
struct lookup {
	char host[256], port[8];
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned users; /* what follows is under `lock` */
	bool done;
	int failure; /* of getaddrinfo */
	struct addrinfo *found;
};

static int ask(const char *host, const char *port, int flags, struct addrinfo **found)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | flags };

	return getaddrinfo(host, port, &hints, found);
}

/* With the lock held, which is let go of. */
static void leave(struct lookup *lookup)
{
	bool last = --lookup->users == 0;

	pthread_mutex_unlock(&lookup->lock);
	if (!last)
		return;
	if (lookup->found != NULL)
		freeaddrinfo(lookup->found);
	pthread_cond_destroy(&lookup->ended);
	pthread_mutex_destroy(&lookup->lock);
	free(lookup);
}

static void *look_up(void *argument)
{
	struct lookup *lookup = argument;
	struct addrinfo *found = NULL;
	int failure = ask(lookup->host, lookup->port, 0, &found);

	pthread_mutex_lock(&lookup->lock);
	lookup->failure = failure;
	lookup->found = failure == 0 ? found : NULL;
	lookup->done = true;
	pthread_cond_signal(&lookup->ended);
	leave(lookup);
	return NULL;
}

static struct lookup *lookup_new(const char *host, const char *port)
{
	struct lookup *lookup = calloc(1, sizeof *lookup);

	assert(lookup != NULL);
	snprintf(lookup->host, sizeof lookup->host, "%s", host);
	snprintf(lookup->port, sizeof lookup->port, "%s", port);
	pthread_mutex_init(&lookup->lock, NULL);
	steady_cond_init(&lookup->ended);
	lookup->users = 1;
	return lookup;
}

static int take(struct lookup *lookup, struct addrinfo **found, struct err *err)
{
	if (!lookup->done)
		return err_set(err, ERR_TIMEOUT, "the host's name was not found in time");
	if (lookup->failure != 0)
		return err_set(err, ERR_UNREACHABLE, "cannot find the host: %s",
			gai_strerror(lookup->failure));
	*found = lookup->found;
	lookup->found = NULL;
	return 0;
}

int fdfs_lookup(
	const char *host, uint16_t port, int64_t deadline, struct addrinfo **found, struct err *err)
{
	struct lookup *lookup;
	pthread_t thread;
	char text[8];
	int result;

	snprintf(text, sizeof text, "%u", port);
	if (ask(host, text, AI_NUMERICHOST, found) == 0)
		return 0;
	if (clock_mono_ms() >= deadline)
		return err_set(err, ERR_TIMEOUT, "no time left to find the host's name");
	lookup = lookup_new(host, text);
	pthread_mutex_lock(&lookup->lock);
	lookup->users++;
	if (pthread_create(&thread, NULL, look_up, lookup) != 0) {
		lookup->users--;
		leave(lookup);
		return err_set(err, ERR_UNREACHABLE, "cannot start a thread");
	}
	pthread_detach(thread);
	while (!lookup->done)
		if (!steady_cond_wait_ms(&lookup->ended, &lookup->lock, deadline))
			break;
	result = take(lookup, found, err);
	leave(lookup);
	return result;
}
