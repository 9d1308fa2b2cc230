/* fcgi_service.h - a daemon that answers FastCGI requests with a function.
 *
 * A few threads accept connections from one listening socket, read one request whole,
 * call `answer`, write the response.  The web server in front is the only peer and
 * gives each request a connection, so a thread a request is the leanest shape: five
 * system calls.  FCGI_KEEP_CONN is honoured. */
#pragma once

#include "http/request.h"
#include "service/service.h"

struct fcgi_service_conf {
	const char *listen; /* "unix:/path" or "host:port" */
	int socket_mode;    /* 0660 */
	int threads;
	size_t max_body;     /* a longer one is answered 413 without calling `answer` */
	size_t max_response; /* greatest body in memory */
	int64_t timeout_ms;  /* longest wait for the peer */
	bool sendfile;       /* the web server takes X-Sendfile2; else files are read and sent */
	/* Fill `response` (reset, status 0) for `request`.  Called by many threads. */
	void (*answer)(
		void *context, const struct http_request *request, struct http_response *response);
	/* NULL: whoever comes waits until a thread is free.  Else, when connections have been
	 * waiting all the time for 500 ms, those that wait are answered by this at once: more comes
	 * than can be carried, and each would only wait longer than the one before. */
	void (*shed)(
		void *context, const struct http_request *request, struct http_response *response);
	void *context;
};

struct fcgi_service;

/* Bind the socket (service.listen).  A stale socket file is replaced, one that a
 * living process answers on is ERR_EXISTS. */
struct fcgi_service *fcgi_service_new(const struct fcgi_service_conf *conf, struct err *err);

/* To be called in `answer` before anything that may take more than some 100 us: a disk,
 * another process, a long computation.  Two threads at a time accept connections, since
 * waking more costs more than small answers do; now another one goes there.  Does
 * nothing in a thread that is not a service's. */
void fcgi_service_waits(void);

/* Serve until fcgi_service_stop; requests under way are finished. */
int fcgi_service_run(struct fcgi_service *service, struct err *err);
void fcgi_service_stop(struct fcgi_service *service); /* any thread */
void fcgi_service_free(struct fcgi_service *service);
