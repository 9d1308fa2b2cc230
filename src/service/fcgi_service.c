#include "service/fcgi_service.h"

#include "core/clock.h"
#include "core/log.h"
#include "http/fcgi.h"
#include "net/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BACKLOG = 1024,
	AT_DOOR = 2, /* see below */
	SHED_AFTER_MS = 500,
	SHED_LOOK_MS = 100,
	READ_SIZE = 64 << 10,
	PIECE_SIZE = 1 << 20, /* of a file that is read and sent */
	KEEP_SIZE = 1 << 20,  /* a buffer that grew over this is given back */
	HEAD_MAX = HTTP_HEADER_MAX + 2048,
};

struct worker {
	struct fcgi_service *service;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* of the two below, which fcgi_service_stop reads */
	int fd;               /* the connection, or -1 */
	bool waiting;         /* between requests: nothing is lost if it is closed */

	bool sheds;   /* it answers by conf.shed */
	bool at_door; /* it may accept */
	bool timed;   /* the connection's time limits are set */

	uint8_t *bytes; /* READ_SIZE */
	size_t at, len; /* what of them is not taken yet */
	struct fcgi_reader reader;
	struct fcgi_answer answer;
	struct http_response response;
	struct buf head;
};

struct fcgi_service {
	struct fcgi_service_conf conf;
	int listener;
	atomic_bool stopping;
	sem_t door;             /* how many more may be there */
	struct worker *workers; /* conf.threads of them, and one that sheds */
	int count;
	_Atomic int64_t none_waited_ms; /* when nobody was waiting last; for conf.shed */
};

static _Thread_local struct worker *this_worker;

/* --- the door ---
 *
 * Two threads at a time are at the door, where connections are accepted.  Under load they
 * find the next one waiting when they come back from the one before, and nobody has to
 * be woken: a small answer costs a quarter less than with all threads there (and one
 * thread alone would be stuck when another program has its core).  Whatever may have to
 * wait is done away from the door, and another thread goes there. */

static void enter_door(struct worker *worker)
{
	while (!worker->at_door && sem_wait(&worker->service->door) != 0)
		continue; /* EINTR */
	worker->at_door = true;
}

static void leave_door(struct worker *worker)
{
	if (worker->at_door)
		sem_post(&worker->service->door);
	worker->at_door = false;
}

void fcgi_service_waits(void)
{
	if (this_worker != NULL)
		leave_door(this_worker);
}

static bool set_waiting(struct worker *worker, bool waiting)
{
	bool go_on;

	pthread_mutex_lock(&worker->lock);
	worker->waiting = waiting;
	go_on = !waiting || !atomic_load(&worker->service->stopping);
	pthread_mutex_unlock(&worker->lock);
	return go_on;
}

/* A socket call with MSG_DONTWAIT has failed: may it be made again?  Mostly there is nothing
 * to wait for, so the limits of a wait are set when the first one comes.  Without limits
 * a thread would wait for ever for a web server that froze. */
static bool may_repeat(struct worker *worker, int *flags)
{
	int64_t wait = worker->service->conf.timeout_ms;
	struct timeval patience = { .tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000 };

	if (errno == EINTR)
		return true;
	if (errno != EAGAIN || !(*flags & MSG_DONTWAIT))
		return false;
	*flags &= ~MSG_DONTWAIT;
	leave_door(worker);
	if (!worker->timed) {
		setsockopt(worker->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		setsockopt(worker->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	}
	worker->timed = true;
	return true;
}

/* Send all pieces; they are used up. */
static bool send_pieces(struct worker *worker, struct iovec *pieces, size_t count)
{
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT;

	while (count > 0) {
		struct msghdr message = {
			.msg_iov = pieces,
			.msg_iovlen = count < IOV_MAX ? count : IOV_MAX,
		};
		ssize_t sent = sendmsg(worker->fd, &message, flags);

		if (sent < 0 && may_repeat(worker, &flags))
			continue;
		if (sent <= 0)
			return false;
		while (count > 0 && (size_t)sent >= pieces->iov_len) {
			sent -= (ssize_t)pieces->iov_len;
			pieces++;
			count--;
		}
		if (count > 0) {
			pieces->iov_base = (uint8_t *)pieces->iov_base + sent;
			pieces->iov_len -= (size_t)sent;
		}
	}
	return true;
}

static bool send_bytes(struct worker *worker, const struct buf *buf)
{
	struct iovec piece = { .iov_base = buf->data, .iov_len = buf->len };

	return buf->len == 0 || send_pieces(worker, &piece, 1);
}

/* Read more bytes; false when the peer is gone or silent. */
static bool receive(struct worker *worker)
{
	int flags = MSG_DONTWAIT;
	ssize_t got;

	do
		got = recv(worker->fd, worker->bytes, READ_SIZE, flags);
	while (got < 0 && may_repeat(worker, &flags));
	worker->at = 0;
	worker->len = got > 0 ? (size_t)got : 0;
	return got > 0;
}

/* Read until a request is complete; false when the connection is to be closed. */
static bool read_request(struct worker *worker)
{
	struct fcgi_reader *reader = &worker->reader;
	enum fcgi_event event = FCGI_MORE;
	int64_t deadline = 0;

	while (event == FCGI_MORE) {
		if (worker->at == worker->len) {
			bool idle = fcgi_reader_idle(reader);

			if (idle && !set_waiting(worker, true))
				return false;
			if (!receive(worker))
				return false;
			if (idle)
				set_waiting(worker, false);
			/* A peer that sends a byte now and then does not hold a thread. */
			if (deadline == 0)
				deadline = clock_mono_ms() + worker->service->conf.timeout_ms;
			else if (clock_mono_ms() > deadline)
				return false;
		}
		worker->at += fcgi_read(reader,
			span_of(worker->bytes + worker->at, worker->len - worker->at), &event);
		if (reader->out.len > 0) {
			if (!send_bytes(worker, &reader->out))
				return false;
			buf_clear(&reader->out);
		}
	}
	if (event == FCGI_BROKEN)
		log_warn("web server: %s", reader->err.text);
	return event == FCGI_REQUEST;
}

static void fail(struct http_response *response, const char *why)
{
	log_error("%s", why);
	http_response_reset(response);
	http_failure(response, ERR_INTERNAL, why);
}

static void make_answer(struct worker *worker, struct http_request *request)
{
	const struct fcgi_service_conf *conf = &worker->service->conf;
	struct http_response *response = &worker->response;
	struct err err;

	http_response_reset(response);
	if (fcgi_request(&worker->reader, request, &err) != 0) {
		log_warn("request refused: %s", err.text);
		http_failure(response, err.code, err.text);
		return;
	}
	(worker->sheds ? conf->shed : conf->answer)(conf->context, request, response);
	if (!buf_ok(&response->header) || !buf_ok(&response->body))
		fail(response, "the answer is longer than it may be");
	else if (response->status < 200 || response->status > 599)
		fail(response, "the answer has no status");
}

/* The web server takes no slices: read the file and send it in pieces, each a run of
 * records.  What goes wrong behind the header can only end the connection. */
static bool send_file(struct worker *worker, int file)
{
	const struct http_response *response = &worker->response;
	uint64_t at = response->file_offset, left = response->file_len;
	struct span head = buf_span(&worker->head);
	size_t size = left < PIECE_SIZE ? (size_t)left : PIECE_SIZE;
	uint8_t *bytes = malloc(size + 1);
	bool good = bytes != NULL;

	leave_door(worker); /* reading and sending all of it may take a while */
	while (good && left > 0) {
		size_t want = left < size ? (size_t)left : size;
		ssize_t got = pread(file, bytes, want, (off_t)at);

		good = got > 0;
		if (!good) {
			log_error("cannot read %s at %llu: %s", response->file_path,
				(unsigned long long)at,
				got == 0 ? "it ends there" : strerror(errno));
			break;
		}
		at += (uint64_t)got;
		left -= (uint64_t)got;
		fcgi_answer_fill(&worker->answer, worker->reader.id, head,
			span_of(bytes, (size_t)got), left == 0);
		good = send_pieces(worker, worker->answer.pieces, worker->answer.count);
		head.len = 0;
	}
	free(bytes);
	return good;
}

static bool send_answer(struct worker *worker, const struct http_request *request)
{
	struct http_response *response = &worker->response;
	bool sendfile = worker->service->conf.sendfile, head = request->method == HTTP_HEAD;
	bool bodiless = head || response->status == 204 || response->status == 304;
	int file = -1;
	bool sent;

	if (response->file_path[0] != '\0' && !sendfile && !bodiless && response->file_len > 0) {
		file = open(response->file_path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			fail(response, "the picture's file cannot be opened");
	}
	buf_clear(&worker->head);
	fcgi_header(response, head, sendfile, &worker->head);
	if (!buf_ok(&worker->head)) {
		fail(response, "the answer's header is longer than it may be");
		buf_clear(&worker->head);
		fcgi_header(response, head, sendfile, &worker->head);
	}
	if (file >= 0 && response->file_path[0] != '\0') {
		sent = send_file(worker, file);
	} else {
		struct span body = buf_span(&response->body);

		if (bodiless || response->file_path[0] != '\0')
			body.len = 0;
		fcgi_answer_fill(
			&worker->answer, worker->reader.id, buf_span(&worker->head), body, true);
		sent = send_pieces(worker, worker->answer.pieces, worker->answer.count);
	}
	if (file >= 0)
		close(file);
	return sent;
}

static void serve_connection(struct worker *worker)
{
	bool keep = true;

	worker->timed = false;
	fcgi_reader_reset(&worker->reader);
	worker->at = worker->len = 0;
	while (keep && read_request(worker)) {
		struct http_request request = { 0 };

		keep = worker->reader.keep_conn;
		make_answer(worker, &request);
		if (!send_answer(worker, &request)) {
			log_debug("the web server left in the middle of an answer");
			keep = false;
		}
		fcgi_reader_next(&worker->reader);
		/* One large picture must not be remembered by every thread for ever. */
		buf_trim(&worker->reader.body, KEEP_SIZE);
		buf_trim(&worker->response.body, KEEP_SIZE);
	}
}

/* Is anybody waiting?  Remembers when nobody was. */
static bool look_at_door(struct fcgi_service *service, int wait_ms)
{
	struct pollfd listener = { service->listener, POLLIN, 0 };

	if (poll(&listener, 1, wait_ms) > 0)
		return true;
	atomic_store(&service->none_waited_ms, clock_mono_ms());
	return false;
}

static void take_connection(struct worker *worker, int fd)
{
	pthread_mutex_lock(&worker->lock);
	worker->fd = fd;
	pthread_mutex_unlock(&worker->lock);
	serve_connection(worker);
	pthread_mutex_lock(&worker->lock);
	worker->fd = -1;
	worker->waiting = false;
	pthread_mutex_unlock(&worker->lock);
	close(fd);
}

/* While there has been a line for too long, end it. */
static void *shed(void *argument)
{
	struct worker *worker = argument;
	struct fcgi_service *service = worker->service;
	const struct timespec pause = { .tv_nsec = SHED_LOOK_MS * 1000000L };

	while (!atomic_load(&service->stopping)) {
		int fd = -1;

		if (look_at_door(service, 0) &&
			clock_mono_ms() - atomic_load(&service->none_waited_ms) > SHED_AFTER_MS)
			fd = accept4(service->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			take_connection(worker, fd);
		else
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct fcgi_service *service = worker->service;

	this_worker = worker;
	for (;;) {
		int fd;

		enter_door(worker);
		if (service->conf.shed != NULL)
			look_at_door(service, 0);
		fd = accept4(service->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && atomic_load(&service->stopping)) {
			leave_door(worker);
			return NULL;
		}
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
				log_error("cannot accept: %s", strerror(errno));
				usleep(100000); /* trying at once again would not help */
			}
			continue;
		}
		take_connection(worker, fd);
	}
}

struct fcgi_service *fcgi_service_new(const struct fcgi_service_conf *conf, struct err *err)
{
	struct fcgi_service *service = calloc(1, sizeof *service);

	if (service == NULL)
		abort();
	service->conf = *conf;
	sem_init(&service->door, 0, AT_DOOR);
	service->count = conf->threads + (conf->shed != NULL ? 1 : 0);
	service->none_waited_ms = clock_mono_ms();
	service->workers = calloc((size_t)service->count, sizeof *service->workers);
	if (service->workers == NULL)
		abort();
	for (int i = 0; i < service->count; i++) {
		struct worker *worker = &service->workers[i];

		worker->sheds = i >= conf->threads;
		worker->service = service;
		worker->fd = -1;
		pthread_mutex_init(&worker->lock, NULL);
		worker->bytes = malloc(READ_SIZE);
		if (worker->bytes == NULL)
			abort();
		fcgi_reader_init(&worker->reader, conf->max_body, conf->threads);
		fcgi_answer_init(&worker->answer);
		http_response_init(&worker->response, conf->max_response);
		buf_init(&worker->head, HEAD_MAX);
	}
	service->listener = bind_listen(conf->listen, conf->socket_mode, BACKLOG, err);
	if (service->listener < 0) {
		fcgi_service_free(service);
		return NULL;
	}
	return service;
}

int fcgi_service_run(struct fcgi_service *service, struct err *err)
{
	int result = 0;

	for (int i = 0; i < service->count && result == 0; i++) {
		struct worker *worker = &service->workers[i];
		int status = pthread_create(
			&worker->thread, NULL, worker->sheds ? shed : work, worker);

		worker->started = status == 0;
		if (status != 0) {
			result = err_set(err, ERR_INTERNAL, "cannot start thread %d of %d: %s",
				i + 1, service->count, strerror(status));
			fcgi_service_stop(service);
		}
	}
	for (int i = 0; i < service->count; i++) {
		if (service->workers[i].started)
			pthread_join(service->workers[i].thread, NULL);
		service->workers[i].started = false;
	}
	return result;
}

void fcgi_service_stop(struct fcgi_service *service)
{
	atomic_store(&service->stopping, true);
	shutdown(service->listener, SHUT_RDWR); /* ends every accept() */
	for (int i = 0; i < service->count; i++) {
		struct worker *worker = &service->workers[i];
		int unread = 0;

		pthread_mutex_lock(&worker->lock);
		if (worker->fd >= 0 && worker->waiting &&
			ioctl(worker->fd, FIONREAD, &unread) == 0 && unread == 0)
			shutdown(worker->fd, SHUT_RD);
		pthread_mutex_unlock(&worker->lock);
	}
}

void fcgi_service_free(struct fcgi_service *service)
{
	if (service == NULL)
		return;
	for (int i = 0; i < service->count; i++) {
		struct worker *worker = &service->workers[i];

		free(worker->bytes);
		fcgi_reader_fini(&worker->reader);
		fcgi_answer_fini(&worker->answer);
		http_response_fini(&worker->response);
		buf_fini(&worker->head);
		pthread_mutex_destroy(&worker->lock);
	}
	bind_close(service->listener);
	sem_destroy(&service->door);
	free(service->workers);
	free(service);
}
