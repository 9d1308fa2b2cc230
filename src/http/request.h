/* request.h - an HTTP request as a CGI program sees it, and the answer to it.
 *
 * Both are plain values, without sockets: FastCGI and HTTP servers are thin adapters
 * around functions from one to the other. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_OTHER,
};

/* All spans are borrowed from the server's request, for as long as the answer is not
 * yet sent.  A header that was not sent is empty. */
struct http_request {
	enum http_method method;
	struct span target; /* as the client sent it: path and query, nothing decoded */
	struct span content_type;
	struct span if_none_match;
	struct span if_modified_since;
	struct span if_range;
	struct span range;
	struct span remote_addr; /* text */
	struct span forwarded_for;
	struct span body; /* complete */
};

enum { HTTP_HEADER_MAX = 4096 };

struct http_response {
	int status;
	struct buf header; /* "Name: value\r\n" lines, without Status and Content-Length */
	/* The body: `body`, unless file_path is set; then file_len bytes of that file from
	 * file_offset.  An answer to HEAD has the same body as to GET: adapters leave it
	 * away, but send its length. */
	struct buf body;
	char file_path[512];
	uint64_t file_offset, file_len;
	uint64_t omitted_len; /* of 304: bytes that 200 would have had */
};

void http_response_init(struct http_response *response, size_t body_limit);
void http_response_fini(struct http_response *response);
/* Make it ready for the next request, keeping its memory. */
void http_response_reset(struct http_response *response);

/* Add a header.  Control characters in the value are a bug of the caller. */
void http_header(struct http_response *response, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Answer with a failure: its status, JSON {"result":"fail","error":...,"message":...}, and
 * headers by which nobody keeps it, behind those that are there.  `message` is one of our
 * sentences: without quotes, backslashes and line ends. */
void http_failure(struct http_response *response, enum err_code code, const char *message);

/* "OK" for 200; never NULL. */
const char *http_reason(int status);
