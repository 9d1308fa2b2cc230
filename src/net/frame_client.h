/* frame_client.h - calls to a server of framed packages, with deadlines, from any thread.
 *
 * A call takes an idle connection that looks alive, or makes one, sends one package and
 * waits for its reply.  It blocks its thread; there is no event loop in it. */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "wire/package.h"
#include "wire/ret.h"

#include <stdbool.h>

struct frame_client_conf {
	const char *address; /* "host:port", "[v6]:port" or "unix:/path" */
	enum byte_order order;
	int64_t connect_ms;
	int64_t timeout_ms;   /* of a whole call, connecting included */
	uint32_t max_package; /* longest reply that is taken; 0: 1 MB */
	size_t idle;          /* connections that are kept; 0: 16 */
};

struct frame_client;

/* The address is copied and looked up at each connection; a wrong one is ERR_CONFIG. */
struct frame_client *frame_client_new(const struct frame_client_conf *conf, struct err *err);
void frame_client_free(struct frame_client *client); /* NULL is fine */

enum frame_repeat {
	FRAME_ONCE,   /* what was sent on a connection that then broke may have been done */
	FRAME_REPEAT, /* doing it twice is doing it once */
};

struct frame_call {
	uint16_t cmd;
	uint32_t id; /* user number */
	struct span body;
	enum frame_repeat repeat;
};

/* Returns 0 when `ret` of the reply is 0; its body is then put into `reply` (which is
 * cleared first; NULL: not wanted).  Else -1 with the code that `ret` stands for, or
 *   ERR_SERVICE_DOWN nobody answers, nothing was done
 *   ERR_TIMEOUT      the deadline passed before the request was sent
 *   ERR_UNKNOWN      the request was sent, but no reply came
 *   ERR_CORRUPT      the reply makes no sense */
int frame_client_call(struct frame_client *client, const struct frame_call *call, struct buf *reply,
	struct err *err);
