/* frame_kit.h - a frame server whose answers a test chooses by command. */
#pragma once

#include "net/frame_server.h"
#include "net_kit.h"

#include <pthread.h>

enum {
	KIT_ECHO = 1,
	KIT_THREAD = 2, /* echo, answered by another thread */
	KIT_HOLD = 3,   /* echo, answered when the test says so */
	KIT_FAIL = 4,   /* RET_GONE, with a body that must not be sent */
	KIT_BIG = 5,    /* answers KIT_BIG_LEN bytes */
	KIT_IN_FLIGHT = 4,
	KIT_BIG_LEN = 4 << 20,
};

struct frame_kit {
	struct net_kit net;
	struct frame_server *server;
	enum byte_order order;
	pthread_mutex_t lock;
	struct frame_request *held[64]; /* under `lock` */
	int held_count;
	_Atomic int refused[RET_COUNT];
};

/* Where not the usual: 127.0.0.0/8, 10 s, 100 connections, in order, little endian. */
struct frame_wish {
	const char *allowed;
	int64_t timeout_ms, connections;
	bool any_order;
	enum byte_order order;
};

struct frame_kit *frame_kit_start(const struct frame_wish *wish);
void frame_kit_stop(struct frame_kit *f);
void frame_kit_join(struct frame_kit *f); /* for whom net_loop_stop was called */

/* Wait until `count` more requests are held; answer the one with this seq. */
void frame_kit_wait_held(struct frame_kit *f, int count);
void frame_kit_release(struct frame_kit *f, uint32_t seq);

/* A client's side. */
void frame_kit_put(
	struct buf *out, enum byte_order order, uint16_t cmd, uint32_t seq, const char *body);
void frame_kit_ask(int fd, uint16_t cmd, uint32_t seq, const char *body);
uint32_t frame_kit_reply(int fd, enum byte_order order, struct package *package, char *body);
void frame_kit_expect(int fd, uint16_t cmd, uint32_t seq, enum ret ret, const char *body);
