/* upload_decide.h - from a request to a stored picture, or to the reason why not.
 *
 * Steps, the cheap and the telling ones first: nothing of a picture is looked at
 * before its key is good, and nothing is decoded before its first bytes are.
 *
 *     method, content type, form, key, how often it was used, file, size, first bytes, type,
 * decode, width and height that the key allows, store
 *
 * What decodes and what stores are function pointers, so that all of this can be
 * tested without processes and sockets. */
#pragma once

#include "auth/upload_key.h"
#include "core/file_id.h"
#include "http/request.h"
#include "http/upload_form.h"
#include "image/picture.h"

enum upload_step {
	UPLOAD_FORM, /* method, content type, fields */
	UPLOAD_KEY,
	UPLOAD_FILE,  /* base64, size, first bytes, type */
	UPLOAD_CHECK, /* decode */
	UPLOAD_NOTE,  /* as a photo, before the store and after it */
	UPLOAD_STORE,
	UPLOAD_STEPS
};

struct upload_result;

struct upload_rules {
	struct upload_key_rules keys;
	size_t max_bytes; /* of a picture */
	unsigned formats; /* bit 1 << format for each that is accepted */
	/* As picture_check and fdfs_upload. */
	int (*check)(
		void *context, struct span bytes, struct picture_facts *facts, struct err *err);
	int (*store)(void *context, struct span bytes, const char *ext, struct file_id *id,
		struct err *err);
	/* Count a use of a session key; ERR_KEY_EXPIRED when it was one too many.  NULL: keys
	 * may be used any number of times. */
	int (*count_use)(void *context, struct span key, uint32_t uid, struct err *err);
	/* How pictures are recorded as photos; all NULL: not at all.  `note` comes before the
	 * store and fills in albumid and photoid; then either `drop`, as the store has
	 * answered `why`, or `settle`, which may still fail. */
	int (*note)(void *context, struct upload_result *result, const struct picture_facts *facts,
		struct span bytes, int64_t now, struct err *err);
	void (*drop)(void *context, const struct upload_result *result, enum err_code why);
	int (*settle)(void *context, const struct upload_result *result, struct err *err);
	void *context;
	int64_t (*clock_us)(void); /* for step_us */
};

struct upload_result {
	bool has_key;
	struct upload_key key;
	char file_name[UPLOAD_FILE_NAME_MAX + 1];
	size_t len; /* of the picture */
	struct file_id id;
	uint32_t albumid;              /* the key's, unless the record knows better */
	uint64_t photoid;              /* 0: not recorded */
	enum upload_step step;         /* how far it came */
	int64_t step_us[UPLOAD_STEPS]; /* time that each step took */
};

/* Returns 0 with the id, or -1 with err; `result` has whatever became known. */
int upload_decide(const struct upload_rules *rules, const struct http_request *request, int64_t now,
	struct upload_result *result, struct err *err);

/* Fill the answer: of a success when `err` is NULL, else of that failure.  Sentences about
 * the caller's own doing go to the caller, others only to the log. */
void upload_answer(
	const struct upload_result *result, const struct err *err, struct http_response *response);
