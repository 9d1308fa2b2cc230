/* s3_client.h - one bucket of an S3 service: signed requests, and what their answers mean.
 *
 * A request is tried once and has a deadline.  Most `in_flight` are under way at a time,
 * others wait for their turn.  A breaker (breaker.h) stands before them: while the service
 * does not answer they fail at once with ERR_BUSY.
 *
 * From any thread. */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "web/web.h"

struct s3_conf {
	const char *endpoint; /* "https://host:port"; no path */
	const char *region;   /* that signatures name */
	const char *bucket;
	bool bucket_in_host;    /* https://bucket.host/key, else https://host/bucket/key */
	const char *access_key; /* its name */
	const char *secret_key;
	const char *ca_file; /* certificates to trust instead of the system's; NULL: those */
	int64_t connect_timeout_ms;
	unsigned in_flight;      /* at least 1 */
	int64_t (*now)(void);    /* Unix seconds, for the signatures */
	int64_t (*now_ms)(void); /* a clock that only goes forward */
};

struct s3_request {
	const char *method;
	const char *key;     /* A-Z a-z 0-9 - . _ / alone; NULL: the bucket itself */
	struct span query;   /* "a=1&b=2", encoded and sorted; or empty */
	const char *range;   /* "bytes=0-9", or NULL */
	bool only_if_new;    /* a put fails with ERR_EXISTS if there is something */
	struct span body;    /* of a put */
	const char *avoid;   /* as in struct web_request, or NULL */
	size_t max_body;     /* of the answer */
	int64_t deadline_ms; /* by now_ms */
};

struct s3;

/* Copies what `conf` points to; does not talk to the service.  NULL with ERR_CONFIG. */
struct s3 *s3_new(const struct s3_conf *conf, struct err *err);
void s3_free(struct s3 *s3); /* NULL is fine; no request may be under way */

/* Ask.  Returns 0 if the answer says that it is done (2xx).  Else what s3_outcome says of
 * an answer; and if none came:
 *     ERR_UNREACHABLE  nothing was sent, or it changes nothing
 *     ERR_TIMEOUT      the deadline passed, and it changes nothing
 *     ERR_UNKNOWN      it may have been done
 *     ERR_BUSY         nothing was sent: the breaker is open, or no turn came in time */
int s3_ask(struct s3 *s3, const struct s3_request *request, struct web_response *response,
	struct err *err);

/* What an answer of this status and error code ("", where there was none) means for a
 * request; ERR_NONE for 2xx.  ERR_NOT_FOUND only if the key, and not the bucket, is said to
 * be missing; an answer without a body (HEAD) cannot say that. */
enum err_code s3_outcome(const char *method, int status, const char *code);

/* Would a request be sent?  Returns -1 with why not: the breaker is open. */
int s3_health(struct s3 *s3, struct err *err);
