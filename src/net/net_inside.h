/* net_inside.h - what the files of the event loop know of each other. */
#pragma once

#include "net/net_loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

enum {
	NET_SCRATCH = 16384,
	NET_SLOWEST_BYTES_PER_MS = 16, /* 16 KB/s: who sends or takes slower is cut off */
};

/* Something that other threads hand to the loop. */
struct net_post {
	struct net_post *next;
	void (*run)(struct net_post *post);
};

/* What has to end before the loop does. */
struct net_part {
	struct net_part *next;
	void (*stop)(struct net_part *part); /* in the loop's thread; the loop then runs empty */
	void (*free)(struct net_part *part);
};

struct net_loop {
	uv_loop_t uv;
	uv_async_t wake; /* not counted as something to wait for */
	pthread_t thread;
	pthread_mutex_t lock;
	struct net_post *posts, **last_post; /* under `lock` */
	atomic_bool stop_wanted;
	bool stopping;
	struct net_part *parts;
	char scratch[NET_SCRATCH]; /* what is read, before it is known whose it is */
};

/* Run `post` in the loop's thread, soon.  Any thread. */
void net_loop_post(struct net_loop *loop, struct net_post *post);
bool net_loop_here(const struct net_loop *loop);
void net_loop_add(struct net_loop *loop, struct net_part *part);
