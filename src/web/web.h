/* web.h - HTTP requests to caches, to the public address and to stores that speak HTTP.
 *
 * A struct web keeps connections between requests and belongs to one thread at a time.
 * Every request has a deadline and a greatest body; redirects are not followed, proxies
 * from the environment not used, and the URL goes out as it stands. */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "web/web_address.h"

struct web;

struct web *web_new(void);
void web_free(struct web *web); /* NULL is fine */

struct web_request {
	const char *method;         /* "GET", "HEAD", "POST", "PURGE", ... */
	const char *url;            /* http or https */
	const char *unix_path;      /* connect to this socket instead of the URL's host, or NULL */
	const char *const *headers; /* NULL-ended list of "Name: value", or NULL */
	struct span body;           /* sent if it is not empty, or if the method is POST or PUT */
	int64_t timeout_ms;         /* of the whole request; 0: 10 seconds */
	int64_t connect_timeout_ms; /* until there is a connection; 0: as timeout_ms */
	const char *ca_file;        /* certificates to trust instead of the system's, or NULL */
	/* Make a new connection, and not to this address if the host has another; NULL: any.
	 * For who got an answer from there that cannot be right. */
	const char *avoid;
	size_t max_body; /* a longer answer is ERR_TOO_LARGE; 0: 1 MiB */
};

struct web_response {
	int status;
	bool sent;         /* also if it failed: the other side may have seen the request */
	struct buf header; /* "Name: value\n" lines of the last answer, at most 64 KiB */
	struct buf body;
	char peer[WEB_ADDRESS_MAX]; /* the address that was asked; empty: it came to none */
};

/* Make an empty response; web_response_fini frees it, a request clears it. */
void web_response_init(struct web_response *response);
void web_response_fini(struct web_response *response);

/* Ask and wait.  Returns 0 if an answer came, whatever its status; else ERR_UNREACHABLE,
 * ERR_TIMEOUT, ERR_TOO_LARGE or ERR_BAD_REQUEST (a URL that is none). */
int web_ask(struct web *web, const struct web_request *request, struct web_response *response,
	struct err *err);

/* The value of the first header `name`, without white space around it, borrowed from
 * the response; empty if there is none. */
struct span web_header(const struct web_response *response, const char *name);
