/* delivery.h - the answer to "give me that picture", whoever asks over HTTP.
 *
 * A picture is looked for in a table of sources, in order: one that surely does not
 * have the id is passed over, and one that cannot say makes way for the next.  What a
 * source hands out has been checked against the id.
 *
 * docs/http.md lists every status and header. */
#pragma once

#include "core/err.h"
#include "core/file_id.h"
#include "http/request.h"
#include "store/engine.h"

enum delivery_holds {
	DELIVERY_NEVER,   /* not this one's group or path */
	DELIVERY_PERHAPS, /* another source may have what this one has not */
	DELIVERY_SURELY,  /* what is not here is nowhere */
};

/* A picture as a source gives it: all bytes in `content`, or, for place.len > 0, none of
 * them and where they lie. */
struct delivery_picture {
	struct buf *content; /* the source appends */
	struct engine_place place;
};

struct delivery_source {
	/* Without asking anybody. */
	enum delivery_holds (*holds)(void *context, const struct file_id *id);
	/* 0, or -1 with err and nothing in `picture`.  A picture of at least `place_from`
	 * bytes may come as a place; 0: never.  With ENGINE_NO_WAIT in `flags`, ERR_WOULD_BLOCK
	 * rather than wait for a disk, a peer, or a long computation. */
	int (*read)(void *context, const struct file_id *id, unsigned flags, uint64_t place_from,
		struct delivery_picture *picture, struct err *err);
	void *context;
};

struct delivery {
	const struct delivery_source *sources;
	size_t source_count;
	uint64_t sendfile_from; /* bytes; smaller pictures are copied into the answer; 0: all */
};

/* Answer `request` in `response`, which is fresh or reset.  Returns 0, or -1 with the
 * reason for the log if the answer is a failure: `response` is complete in either case.
 * With ENGINE_NO_WAIT in `flags` it may be -1 and ERR_WOULD_BLOCK, which is no answer:
 * `response` is as it was, and a thread that may wait is to ask again without the flag.
 * Called by any thread. */
int delivery_answer(const struct delivery *delivery, const struct http_request *request,
	unsigned flags, struct http_response *response, struct err *err);
