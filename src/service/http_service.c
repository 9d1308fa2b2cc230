#include "service/http_service.h"

#include "core/clock.h"
#include "core/log.h"
#include "net/bind.h"
#include "net/sockaddr.h"
#include "service/http_guard.h"
#include "service/http_waiters.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BODY_KEEP = 64 << 10, /* a body's memory that is kept for the connection's next */
	BODY_MAX = 4096,      /* of a request */
	SLOWEST = 16,         /* bytes a millisecond */
	STEP_MS = 1000,       /* how late a late connection may be noticed */
	DRAIN_MS = 3000,
	DRAIN_STEP_MS = 10,
};

/* A connection, and the request on it. */
struct visit {
	struct http_guarded guarded; /* these two first: they are what others hand back */
	struct http_waiting waiting;
	struct http_service *service;
	struct MHD_Connection *connection;
	char peer[SOCKADDR_TEXT_MAX];

	enum {
		BETWEEN, /* requests */
		BEGUN,   /* its first line was read */
		HEADED,  /* its headers were */
		WAITING,
		ANSWERED,
	} stage;
	size_t body; /* bytes of the request's */
	size_t held; /* of the service's memory */
	struct buf target, joined;
	struct http_request request;
	struct http_response response;
};

struct http_service {
	struct http_service_conf conf;
	struct MHD_Daemon *daemon;
	struct http_guard *guard;
	struct http_waiters *waiters;
	_Atomic int64_t busy; /* requests that are not finished */
	_Atomic uint64_t held;
	atomic_bool stopping;
	_Atomic int64_t uncounted;
};

/* --- connections --- */

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode what)
{
	struct http_service *service = context;
	struct visit *visit = *socket_context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
				 ->connect_fd;
		const struct sockaddr *peer = MHD_get_connection_info(
			connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
						      ->client_addr;

		visit = calloc(1, sizeof *visit);
		if (visit == NULL)
			abort();
		visit->service = service;
		visit->connection = connection;
		buf_init(&visit->target, HTTP_SERVICE_HEAD_MAX);
		buf_init(&visit->joined, 2 * HTTP_SERVICE_HEAD_MAX);
		http_response_init(&visit->response, service->conf.max_response);
		if (peer->sa_family == AF_UNIX) /* they have no names */
			strcpy(visit->peer, "unix");
		else
			sockaddr_text(peer, sizeof(struct sockaddr_in6), visit->peer);
		http_guard_enter(service->guard, &visit->guarded, fd,
			clock_mono_ms() + service->conf.timeout_ms);
		atomic_fetch_add(service->conf.connections, 1);
		*socket_context = visit;
	} else if (visit != NULL) {
		http_guard_leave(service->guard, &visit->guarded);
		atomic_fetch_sub(service->conf.connections, 1);
		buf_fini(&visit->target);
		buf_fini(&visit->joined);
		http_response_fini(&visit->response);
		free(visit);
		*socket_context = NULL;
	}
}

static enum MHD_Result on_accept(void *context, const struct sockaddr *peer, socklen_t len)
{
	const struct http_service *service = context;

	(void)len;
	return allow_has(service->conf.allow, peer) ? MHD_YES : MHD_NO;
}

/* --- a request, from its first line to its last byte --- */

/* The only place where the target is seen as it was sent. */
static void *on_first_line(void *context, const char *target, struct MHD_Connection *connection)
{
	struct http_service *service = context;
	struct visit *visit = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
				      ->socket_context;

	buf_clear(&visit->target);
	buf_clear(&visit->joined);
	http_response_reset(&visit->response);
	buf_put_str(&visit->target, target == NULL ? "" : target);
	visit->body = 0;
	visit->stage = BEGUN;
	atomic_fetch_add(&service->busy, 1);
	return visit;
}

static void on_finished(void *context, struct MHD_Connection *connection, void **request_context,
	enum MHD_RequestTerminationCode how)
{
	struct http_service *service = context;
	struct visit *visit = *request_context;

	(void)connection;
	(void)how;
	if (visit == NULL)
		return;
	buf_trim(&visit->response.body, BODY_KEEP);
	atomic_fetch_sub(&service->held, visit->held);
	visit->held = 0;
	visit->stage = BETWEEN;
	atomic_store(&visit->guarded.deadline_ms, clock_mono_ms() + service->conf.timeout_ms);
	atomic_fetch_sub(&service->busy, 1);
	*request_context = NULL;
}

/* An id stays as it was sent: nothing is decoded. */
static size_t leave_as_it_is(void *context, struct MHD_Connection *connection, char *text)
{
	(void)context;
	(void)connection;
	return strlen(text);
}

/* A header that came twice is one with commas (RFC 9110, 5.3). */
static enum MHD_Result on_header(
	void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct visit *visit = context;
	struct http_request *request = &visit->request;
	struct span *spans[] = { &request->if_none_match, &request->if_modified_since,
		&request->if_range, &request->range, &request->forwarded_for };
	static const char *const names[] = { "If-None-Match", "If-Modified-Since", "If-Range",
		"Range", "X-Forwarded-For" };
	struct span got = span_str(value == NULL ? "" : value);

	(void)kind;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct span *span = spans[i];

		if (strcasecmp(name, names[i]) != 0)
			continue;
		if (span->len > 0) {
			size_t start = visit->joined.len;

			buf_put_span(&visit->joined, *span);
			buf_put_str(&visit->joined, ", ");
			buf_put_span(&visit->joined, got);
			got = span_of(visit->joined.data + start, visit->joined.len - start);
		}
		*span = got;
	}
	return MHD_YES;
}

/* "GET http://host/path": what is asked for is the path. */
static struct span path_of(struct span target)
{
	static const char scheme[] = "http://";
	const uint8_t *slash;

	if (target.len < sizeof scheme ||
		strncasecmp((const char *)target.data, scheme, sizeof scheme - 1) != 0)
		return target;
	slash = memchr(target.data + sizeof scheme - 1, '/', target.len - (sizeof scheme - 1));
	return slash == NULL ? SPAN("/")
			     : span_of(slash, target.len - (size_t)(slash - target.data));
}

static void read_request(struct visit *visit, const char *method)
{
	struct http_request *request = &visit->request;

	*request = (struct http_request){
		.method = strcmp(method, "GET") == 0    ? HTTP_GET
			  : strcmp(method, "HEAD") == 0 ? HTTP_HEAD
			  : strcmp(method, "POST") == 0 ? HTTP_POST
							: HTTP_OTHER,
		.target = path_of(buf_span(&visit->target)),
		.remote_addr = span_str(visit->peer),
	};
	/* All of them together fit in twice what a request's head may be: one place, which
	 * does not move while spans point to it. */
	buf_reserve(&visit->joined, visit->joined.limit);
	MHD_get_connection_values(visit->connection, MHD_HEADER_KIND, on_header, visit);
}

static bool answer(struct visit *visit, unsigned flags)
{
	const struct http_service *service = visit->service;

	if (atomic_load(&service->held) > service->conf.memory / 2)
		flags |= HTTP_SPARE_MEMORY;
	return service->conf.answer(
		service->conf.context, &visit->request, flags, &visit->response);
}

/* In a thread that may wait.  After MHD_resume_connection the visit may be gone. */
static void wait_and_answer(struct http_waiting *waiting)
{
	struct visit *visit = (struct visit *)((char *)waiting - offsetof(struct visit, waiting));

	answer(visit, 0);
	visit->stage = ANSWERED;
	MHD_resume_connection(visit->connection);
}

/* --- answers --- */

static void refuse(struct http_response *response, enum err_code code, const char *why)
{
	http_response_reset(response);
	http_failure(response, code, why);
}

static void fail(struct http_response *response, const char *why)
{
	log_error("%s", why);
	refuse(response, ERR_INTERNAL, why);
}

static void check_answer(struct visit *visit)
{
	struct http_service *service = visit->service;
	struct http_response *response = &visit->response;

	if (!buf_ok(&response->header) || !buf_ok(&response->body))
		fail(response, "the answer is longer than it may be");
	else if (response->status < 200 || response->status > 599)
		fail(response, "the answer has no status");
	visit->held = response->body.cap;
	if (atomic_fetch_add(&service->held, visit->held) + visit->held <= service->conf.memory)
		return;
	atomic_fetch_sub(&service->held, visit->held);
	visit->held = 0;
	buf_trim(&response->body, 0);
	refuse(response, ERR_BUSY, err_meaning(ERR_BUSY));
}

static ssize_t no_content(void *context, uint64_t position, char *to, size_t max)
{
	(void)context;
	(void)position;
	(void)to;
	(void)max;
	return MHD_CONTENT_READER_END_WITH_ERROR; /* of answers without one: it is never asked for
						   */
}

static struct MHD_Response *file_answer(struct visit *visit)
{
	struct http_response *response = &visit->response;
	struct MHD_Response *made;
	int file;

	if (visit->request.method == HTTP_HEAD)
		return MHD_create_response_from_callback(
			response->file_len, 1024, no_content, NULL, NULL);
	file = open(response->file_path, O_RDONLY | O_CLOEXEC);
	if (file < 0) {
		fail(response, "the picture's file cannot be opened");
		return NULL;
	}
	made = MHD_create_response_from_fd_at_offset64(
		response->file_len, file, response->file_offset);
	if (made == NULL)
		close(file);
	return made;
}

/* "Name: value\r\n" lines, which are taken apart where they are. */
static void put_headers(struct MHD_Response *made, struct buf *header)
{
	char *at = (char *)header->data, *end = at + header->len;

	while (at < end) {
		char *colon = memchr(at, ':', (size_t)(end - at));
		char *line_end = memchr(at, '\r', (size_t)(end - at));

		*colon = *line_end = '\0';
		MHD_add_response_header(made, at, colon + 2);
		at = line_end + 2;
	}
}

static int64_t send_ms(const struct visit *visit)
{
	const struct http_service_conf *conf = &visit->service->conf;
	const struct http_response *response = &visit->response;
	bool file = response->file_path[0] != '\0';
	uint64_t len = file ? response->file_len : response->body.len;
	int64_t longest = conf->timeout_ms + (int64_t)(len / SLOWEST);

	return file && longest > conf->slice_ms ? conf->slice_ms : longest;
}

static enum MHD_Result send_answer(struct visit *visit)
{
	struct http_response *response = &visit->response;
	struct MHD_Response *made = NULL;
	enum MHD_Result result;

	visit->stage = ANSWERED;
	check_answer(visit);
	if (response->status == 304) /* the length that 200 would have; 0 would be untrue */
		made = MHD_create_response_from_callback(
			response->omitted_len, 1024, no_content, NULL, NULL);
	else if (response->file_path[0] != '\0')
		made = file_answer(visit);
	if (made == NULL) /* of the visit: it lasts until on_finished() */
		made = MHD_create_response_from_buffer(
			response->body.len, response->body.data, MHD_RESPMEM_PERSISTENT);
	if (made == NULL)
		return MHD_NO;
	put_headers(made, &response->header);
	if (atomic_load(&visit->service->stopping))
		MHD_add_response_header(made, MHD_HTTP_HEADER_CONNECTION, "close");
	atomic_store(&visit->guarded.deadline_ms, clock_mono_ms() + send_ms(visit));
	result = MHD_queue_response(visit->connection, (unsigned)response->status, made);
	MHD_destroy_response(made);
	return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *body, size_t *body_len,
	void **request_context)
{
	struct http_service *service = context;
	struct visit *visit = *request_context;

	(void)url;
	(void)version;
	(void)body;
	if (visit->stage == BEGUN) {
		visit->stage = HEADED;
		read_request(visit, method);
		/* What has a body and cannot be meant is refused before it comes. */
		if (visit->request.method == HTTP_GET || visit->request.method == HTTP_HEAD)
			return MHD_YES;
	} else if (*body_len > 0) {
		visit->body += *body_len;
		*body_len = 0;
		return visit->body <= BODY_MAX ? MHD_YES : MHD_NO;
	}
	if (visit->stage == ANSWERED || answer(visit, HTTP_NO_WAIT))
		return send_answer(visit);
	if (atomic_load(&service->stopping)) { /* nobody is sent to wait any more */
		refuse(&visit->response, ERR_BUSY, err_meaning(ERR_BUSY));
		return send_answer(visit);
	}
	visit->stage = WAITING;
	visit->waiting.work = wait_and_answer;
	atomic_store(&visit->guarded.deadline_ms, HTTP_GUARD_NEVER);
	MHD_suspend_connection(connection);
	http_waiters_add(service->waiters, &visit->waiting);
	return MHD_YES;
}

/* --- the service --- */

__attribute__((format(printf, 2, 0))) static void on_library_log(
	void *context, const char *format, va_list args)
{
	char text[400];

	(void)context;
	if (!log_shown(LOG_DEBUG))
		return;
	vsnprintf(text, sizeof text, format, args);
	log_debug("HTTP: %.*s", (int)strcspn(text, "\n"), text);
}

static int start(struct http_service *service, struct err *err)
{
	const struct http_service_conf *conf = &service->conf;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			 MHD_USE_ERROR_LOG;

	service->waiters = http_waiters_new(conf->waiters, err);
	if (service->waiters == NULL)
		return -1;
	service->guard = http_guard_new(
		conf->timeout_ms < 4 * STEP_MS ? conf->timeout_ms / 4 + 1 : STEP_MS,
		conf->timeouts != NULL ? conf->timeouts : &service->uncounted, err);
	if (service->guard == NULL)
		return -1;
	if (fcntl(conf->fd, F_SETFL, O_NONBLOCK) != 0)
		return err_errno(err, "cannot serve HTTP");
	errno = 0;
	service->daemon = MHD_start_daemon(flags, 0, on_accept, service, on_request, service,
		/* first, or the library talks to stderr */
		MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL, MHD_OPTION_LISTEN_SOCKET,
		conf->fd, MHD_OPTION_THREAD_POOL_SIZE,
		(unsigned)(conf->threads > 1 ? conf->threads : 0), MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)conf->max_connections,
		/* The guard knows better; this ends connections that it cannot wake. */
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(2 * conf->timeout_ms / 1000 + 1),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_SERVICE_HEAD_MAX + 8192,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, service, MHD_OPTION_NOTIFY_COMPLETED,
		on_finished, service, MHD_OPTION_URI_LOG_CALLBACK, on_first_line, service,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_as_it_is, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_END);
	return service->daemon != NULL ? 0 : err_errno(err, "cannot serve HTTP");
}

struct http_service *http_service_new(const struct http_service_conf *conf, struct err *err)
{
	struct http_service *service = calloc(1, sizeof *service);

	if (service == NULL)
		abort();
	service->conf = *conf;
	if (service->conf.connections == NULL)
		service->conf.connections = &service->uncounted;
	if (start(service, err) == 0)
		return service;
	http_service_free(service);
	return NULL;
}

void http_service_stop(struct http_service *service)
{
	if (!atomic_exchange(&service->stopping, true) && service->daemon != NULL)
		MHD_quiesce_daemon(service->daemon);
}

void http_service_free(struct http_service *service)
{
	if (service == NULL)
		return;
	http_service_stop(service);
	for (int waited = 0; waited < DRAIN_MS && atomic_load(&service->busy) > 0;
		waited += DRAIN_STEP_MS)
		poll(NULL, 0, DRAIN_STEP_MS);
	/* The library must not be stopped while it waits for one of these. */
	http_waiters_free(service->waiters);
	if (service->daemon != NULL)
		MHD_stop_daemon(service->daemon);
	http_guard_free(service->guard);
	bind_close(service->conf.fd);
	free(service);
}
