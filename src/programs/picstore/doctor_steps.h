/* doctor_steps.h - the steps of picstore doctor, and what they work on. */
#pragma once

#include "auth/upload_key.h"
#include "programs/picstore/commands.h"
#include "web/web.h"

enum { DOCTOR_NOTE_MAX = 200 };

struct doctor {
	struct cli *cli;
	const struct settings *settings;
	struct fdfs_client *client;
	struct web *web;
	struct web_response response;
	struct buf picture;
	uint64_t seed;
	char key[UPLOAD_KEY_JWT_MAX + 1];
	char base[512]; /* public_url without a slash at the end */
	char id_text[FILE_ID_TEXT_MAX + 1];
	struct file_id id;
	char etag[128];
	char note[DOCTOR_NOTE_MAX]; /* what a step has to say when it went well */

	unsigned done; /* what steps have given so far */
	bool json;
	json_t *steps;
	size_t failed, skipped;
};

/* In the order in which they are made.  What one needs, others before it have given. */
extern const struct doctor_step {
	const char *name;
	int (*run)(struct doctor *d, struct err *err);
	unsigned needs, gives;
	const char *next; /* what to do when it fails */
} doctor_steps[];

extern const size_t doctor_step_count;
