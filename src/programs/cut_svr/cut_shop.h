/* cut_shop.h - a cut, from the request to the id of the picture that was made.
 *
 * What it needs from outside comes as functions, so that a test can stand in. */
#pragma once

#include "image/cut.h"
#include "meta/cut_memory.h"
#include "wire/package.h"

struct cut_tools {
	void *context;
	int (*stat)(void *context, const struct file_id *id, struct err *err);
	int (*download)(
		void *context, const struct file_id *id, struct buf *picture, struct err *err);
	/* Sends it once: after ERR_UNKNOWN it may be stored. */
	int (*upload)(void *context, const char *group, struct span picture, const char *ext,
		struct file_id *id, struct err *err);
	/* 0: it is gone for sure. */
	int (*remove)(void *context, const struct file_id *id, struct err *err);
	int (*cut)(void *context, struct span picture, const struct cut_wish *wish,
		struct buf *result, struct picture_facts *made, struct err *err);
	struct cut_memory *memory;
	size_t max_bytes;  /* of a source */
	size_t max_result; /* of what is made of it */
};

/* How a request was answered. */
enum cut_way {
	CUT_FAILED,
	CUT_MADE,       /* now */
	CUT_REMEMBERED, /* from an earlier time */
	CUT_SHARED,     /* with another request for the same, at the same time */
};

struct cut_shop;

struct cut_shop *cut_shop_new(const struct cut_tools *tools);
void cut_shop_free(struct cut_shop *shop); /* NULL is fine */

/* Answer `cut`: the text of the new picture's id in `*url`.  Any thread.  Beside what the
 * tools fail with: ERR_BAD_REQUEST (a box without pixels), ERR_BAD_ID.  CUT_FAILED with
 * err. */
enum cut_way cut_shop_serve(struct cut_shop *shop, const struct package_cut *cut,
	struct package_url *url, struct err *err);

/* Try again to remove some of the pictures that nobody was told of and that could not be
 * removed when that was found out.  Any thread. */
void cut_shop_clean(struct cut_shop *shop);
