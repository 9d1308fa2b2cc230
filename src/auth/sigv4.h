/* sigv4.h - signs HTTP requests for services that speak S3: AWS Signature Version 4.
 *
 * Nothing but bytes to bytes: no socket, no clock.  What is signed is a request as it
 * goes out, so path and query come encoded already; sigv4_encode does that. */
#pragma once

#include "core/buf.h"

enum {
	SIGV4_DATE_LEN = 16, /* 20130524T000000Z, without the NUL */
	SIGV4_HASH_LEN = 64, /* hex digits, without the NUL */
};

struct sigv4_key {
	const char *access; /* the name of the key, which is no secret */
	const char *secret;
	const char *region;  /* "us-east-1" */
	const char *service; /* "s3" */
};

struct sigv4_header {
	const char *name;  /* lower case */
	const char *value; /* no white space at its ends, none doubled within */
};

struct sigv4_request {
	const char *method;
	const char *path;                   /* "/bucket/key", encoded */
	const char *query;                  /* "a=1&b=2", encoded and sorted; or "" */
	const struct sigv4_header *headers; /* sorted by name; host and x-amz-date among them */
	size_t header_count;
	const char *payload_hash; /* of the body, in hex */
};

/* The time of a request, for its header x-amz-date; `unix_time` in seconds. */
void sigv4_date(int64_t unix_time, char out[SIGV4_DATE_LEN + 1]);

/* The SHA-256 of `bytes` in hex, for x-amz-content-sha256. */
void sigv4_hash(struct span bytes, char out[SIGV4_HASH_LEN + 1]);

/* Append `text` with everything but A-Z a-z 0-9 - . _ ~, and slashes in a path, as %XX. */
void sigv4_encode(struct buf *out, struct span text, bool is_path);

/* Append the value of the header Authorization. */
void sigv4_sign(const struct sigv4_key *key, const struct sigv4_request *request, const char *date,
	struct buf *out);
