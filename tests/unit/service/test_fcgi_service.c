#include "core/clock.h"
#include "http/fcgi.h"
#include "service/fcgi_service.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FILE_LEN = 3000000, MAX_BODY = 100000 };

static struct {
	struct fcgi_service *service;
	pthread_t thread;
	char folder[200], address[256], file[256];
	int result;
	sem_t go_on; /* what "/wait" waits for */
	bool sheds;
} fixture;

/* What the tests ask for: the target says which answer is wanted. */
static void answer(
	void *context, const struct http_request *request, struct http_response *response)
{
	assert_ptr_equal(context, &fixture);
	response->status = 200;
	if (span_is(request->target, "/echo")) {
		buf_put_span(&response->body, request->body);
	} else if (span_is(request->target, "/file")) {
		snprintf(response->file_path, sizeof response->file_path, "%s", fixture.file);
		response->file_offset = 1;
		response->file_len = FILE_LEN - 1;
	} else if (span_is(request->target, "/short-file")) {
		snprintf(response->file_path, sizeof response->file_path, "%s", fixture.file);
		response->file_len = FILE_LEN + 1;
	} else if (span_is(request->target, "/no-file")) {
		strcpy(response->file_path, "/nonexistent/file");
		response->file_len = 10;
	} else if (span_is(request->target, "/too-long")) {
		buf_reserve(&response->body, SIZE_MAX / 4);
	} else if (span_is(request->target, "/no-status")) {
		response->status = 0;
	} else if (span_is(request->target, "/wait")) {
		fcgi_service_waits();
		sem_wait(&fixture.go_on);
	}
}

static void shed(void *context, const struct http_request *request, struct http_response *response)
{
	assert_ptr_equal(context, &fixture);
	assert_true(span_is(request->target, "/wait"));
	response->status = 503;
}

static void *run(void *argument)
{
	struct err err;

	(void)argument;
	fixture.result = fcgi_service_run(fixture.service, &err);
	return NULL;
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761U >> 24);
}

static void start(int threads, bool sendfile)
{
	struct fcgi_service_conf conf = {
		.listen = fixture.address,
		.socket_mode = 0600,
		.threads = threads,
		.max_body = MAX_BODY,
		.max_response = MAX_BODY,
		.timeout_ms = 20000,
		.sendfile = sendfile,
		.answer = answer,
		.shed = fixture.sheds ? shed : NULL,
		.context = &fixture,
	};
	struct err err;

	snprintf(fixture.folder, sizeof fixture.folder, "%s", unit_scratch());
	snprintf(fixture.address, sizeof fixture.address, "unix:%s/s", fixture.folder);
	snprintf(fixture.file, sizeof fixture.file, "%s/volume", fixture.folder);
	fixture.service = fcgi_service_new(&conf, &err);
	assert_non_null(fixture.service);
	assert_int_equal(pthread_create(&fixture.thread, NULL, run, NULL), 0);
}

static void stop(void)
{
	int64_t begin = clock_mono_ms();

	fcgi_service_stop(fixture.service);
	pthread_join(fixture.thread, NULL);
	assert_in_range(clock_mono_ms() - begin, 0, 10000); /* not the 20 s of a timeout */
	assert_int_equal(fixture.result, 0);
	fcgi_service_free(fixture.service);
}

static int dial(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof to.sun_path, "%.100s", fixture.address + 5);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void put_record(struct buf *to, uint8_t type, const void *content, size_t len)
{
	const uint8_t header[8] = { 1, type, 0, 1, (uint8_t)(len >> 8), (uint8_t)len };

	buf_put(to, header, sizeof header);
	buf_put(to, content, len);
}

static void put_pair(struct buf *to, const char *name, const char *value)
{
	buf_put_u8(to, (uint8_t)strlen(name));
	buf_put_u8(to, (uint8_t)strlen(value));
	buf_put_str(to, name);
	buf_put_str(to, value);
}

static struct buf request_of(const char *method, const char *target, size_t body_len, bool keep)
{
	const uint8_t begin[8] = { 0, 1, keep };
	struct buf out, params;

	buf_init(&out, 1 << 20);
	buf_init(&params, 1 << 10);
	put_pair(&params, "REQUEST_METHOD", method);
	put_pair(&params, "REQUEST_URI", target);
	put_record(&out, 1, begin, sizeof begin);
	put_record(&out, 4, params.data, params.len);
	put_record(&out, 4, NULL, 0);
	while (body_len > 0) {
		uint8_t part[1000];
		size_t len = body_len < sizeof part ? body_len : sizeof part;

		memset(part, 'x', len);
		put_record(&out, 5, part, len);
		body_len -= len;
	}
	put_record(&out, 5, NULL, 0);
	buf_fini(&params);
	return out;
}

static void send_all(int fd, const struct buf *bytes)
{
	assert_int_equal(send(fd, bytes->data, bytes->len, MSG_NOSIGNAL), bytes->len);
}

static bool read_exactly(int fd, void *to, size_t len)
{
	while (len > 0) {
		ssize_t got = read(fd, to, len);

		if (got <= 0)
			return false;
		to = (uint8_t *)to + got;
		len -= (size_t)got;
	}
	return true;
}

/* Read one answer: header and body, NUL behind them.  False if it breaks off. */
static bool read_answer(int fd, struct buf *out)
{
	uint8_t header[8], content[65536];

	buf_init(out, 1 << 24);
	for (;;) {
		size_t len;

		if (!read_exactly(fd, header, sizeof header))
			return false;
		len = load_be16(header + 4);
		if (!read_exactly(fd, content, len + header[6]))
			return false;
		if (header[1] == 3) {
			buf_put_u8(out, 0);
			return true;
		}
		assert_int_equal(header[1], 6);
		buf_put(out, content, len);
	}
}

/* Ask on a connection of its own. */
static struct buf ask(const char *method, const char *target, size_t body_len)
{
	struct buf request = request_of(method, target, body_len, false), got;
	int fd = dial();
	char more;

	send_all(fd, &request);
	assert_true(read_answer(fd, &got));
	assert_int_equal(read(fd, &more, 1), 0); /* closed, as it asked for */
	close(fd);
	buf_fini(&request);
	return got;
}

static void assert_answer(
	const char *method, const char *target, size_t body_len, const char *begins)
{
	struct buf got = ask(method, target, body_len);

	if (strncmp((char *)got.data, begins, strlen(begins)) != 0)
		fail_msg("%s: %.300s", target, (char *)got.data);
	buf_fini(&got);
}

TEST(answers_on_a_connection_of_its_own)
{
	start(2, true);
	assert_answer("POST", "/echo", 5, "Status: 200 OK\r\nContent-Length: 5\r\n\r\nxxxxx");
	assert_answer("GET", "/echo", 0, "Status: 200 OK\r\nContent-Length: 0\r\n\r\n");
	stop();
}

TEST(answers_to_head_have_a_length_and_no_body)
{
	struct buf got;

	start(1, true);
	got = ask("HEAD", "/echo", 5);
	assert_string_equal((char *)got.data, "Status: 200 OK\r\nContent-Length: 5\r\n\r\n");
	buf_fini(&got);
	got = ask("HEAD", "/file", 0);
	assert_string_equal((char *)got.data, "Status: 200 OK\r\nContent-Length: 2999999\r\n\r\n");
	buf_fini(&got);
	stop();
}

TEST(a_kept_connection_takes_request_after_request)
{
	struct buf request = request_of("POST", "/echo", 3, true), got;
	int fd;

	start(1, true);
	fd = dial();
	for (int i = 0; i < 3; i++) {
		send_all(fd, &request);
		assert_true(read_answer(fd, &got));
		assert_non_null(strstr((char *)got.data, "\r\n\r\nxxx"));
		buf_fini(&got);
	}
	stop(); /* although the connection is open and idle */
	close(fd);
	buf_fini(&request);
}

TEST(a_body_over_the_limit_is_413)
{
	start(1, true);
	assert_answer("POST", "/echo", MAX_BODY + 1, "Status: 413 Content Too Large\r\n");
	assert_answer("POST", "/echo", MAX_BODY, "Status: 200 OK\r\n");
	stop();
}

TEST(answers_that_cannot_be_sent_are_500)
{
	start(1, false);
	assert_answer("GET", "/too-long", 0, "Status: 500 Internal Server Error\r\n");
	assert_answer("GET", "/no-status", 0, "Status: 500 Internal Server Error\r\n");
	assert_answer("GET", "/no-file", 0, "Status: 500 Internal Server Error\r\n");
	assert_answer("GET", "/echo", 0, "Status: 200 OK\r\n");
	stop();
}

static void write_file(void)
{
	uint8_t *bytes = malloc(FILE_LEN);
	FILE *file = fopen(fixture.file, "wb");

	for (size_t i = 0; i < FILE_LEN; i++)
		bytes[i] = byte_at(i);
	assert_int_equal(fwrite(bytes, 1, FILE_LEN, file), FILE_LEN);
	fclose(file);
	free(bytes);
}

TEST(a_file_is_named_to_a_web_server_that_sends_files)
{
	char want[400];

	start(1, true);
	snprintf(want, sizeof want, "Status: 200 OK\r\nX-Sendfile2: %s 1-2999999\r\n\r\n",
		fixture.file);
	assert_answer("GET", "/file", 0, want);
	stop();
}

TEST(a_file_is_sent_to_a_web_server_that_does_not)
{
	static const char header[] = "Status: 200 OK\r\nContent-Length: 2999999\r\n\r\n";
	const size_t len = sizeof header - 1;
	struct buf got;

	start(1, false);
	write_file();
	got = ask("GET", "/file", 0);
	assert_int_equal(got.len, len + FILE_LEN - 1 + 1);
	assert_memory_equal(got.data, header, len);
	for (size_t i = 1; i < FILE_LEN; i++)
		if (got.data[len + i - 1] != byte_at(i))
			fail_msg("byte %zu differs", i);
	buf_fini(&got);
	stop();
}

TEST(a_file_that_ends_too_early_breaks_the_answer_off)
{
	struct buf request = request_of("GET", "/short-file", 0, true), got;
	int fd;

	start(1, false);
	write_file();
	fd = dial();
	send_all(fd, &request);
	assert_false(read_answer(fd, &got)); /* never whole, so that nobody keeps it */
	buf_fini(&got);
	buf_fini(&request);
	close(fd);
	assert_answer("GET", "/echo", 0, "Status: 200 OK\r\n");
	stop();
}

TEST(peers_that_leave_half_way_cost_nothing)
{
	struct buf request = request_of("POST", "/echo", 5000, false);
	struct buf file = request_of("GET", "/file", 0, false);

	start(1, false);
	write_file();
	for (size_t part = 0; part < request.len; part += 97) {
		struct buf some = { .data = request.data, .len = part };
		int fd = dial();

		send_all(fd, &some);
		close(fd);
	}
	for (int i = 0; i < 5; i++) {
		int fd = dial();

		send_all(fd, &file); /* 3 MB come back, and nobody takes them */
		close(fd);
	}
	assert_answer("POST", "/echo", 5, "Status: 200 OK\r\nContent-Length: 5\r\n\r\nxxxxx");
	buf_fini(&request);
	buf_fini(&file);
	stop();
}

TEST(who_waits_keeps_nobody_from_being_answered)
{
	struct buf wait, got;
	int fds[3];

	start(4, true);
	sem_init(&fixture.go_on, 0, 0);
	wait = request_of("GET", "/wait", 0, false);
	for (int i = 0; i < 3; i++) {
		fds[i] = dial();
		send_all(fds[i], &wait);
	}
	assert_answer("GET", "/echo", 0, "Status: 200");
	for (int i = 0; i < 3; i++)
		sem_post(&fixture.go_on);
	for (int i = 0; i < 3; i++) {
		assert_true(read_answer(fds[i], &got));
		buf_fini(&got);
		close(fds[i]);
	}
	stop();
	sem_destroy(&fixture.go_on);
	buf_fini(&wait);
}

/* Is the answer to the request that was sent on `fd` a 503? */
static bool is_shed(int fd)
{
	struct buf out;
	bool found;

	assert_true(read_answer(fd, &out));
	found = memmem(out.data, out.len, "Status: 503", 11) != NULL;
	buf_fini(&out);
	close(fd);
	return found;
}

TEST(a_line_that_does_not_end_is_told_to_come_back)
{
	struct buf request = request_of("GET", "/wait", 0, false);
	int fds[4];

	sem_init(&fixture.go_on, 0, 0);
	fixture.sheds = true;
	start(1, false);
	for (int i = 0; i < 4; i++) {
		fds[i] = dial();
		send_all(fds[i], &request);
	}
	/* The first has the only thread; nobody else's turn would come. */
	for (int i = 1; i < 4; i++)
		assert_true(is_shed(fds[i]));
	sem_post(&fixture.go_on);
	assert_false(is_shed(fds[0]));
	/* Who comes when there is no line is answered, however long that takes. */
	fds[0] = dial();
	send_all(fds[0], &request);
	sem_post(&fixture.go_on);
	assert_false(is_shed(fds[0]));
	stop();
	fixture.sheds = false;
	buf_fini(&request);
	sem_destroy(&fixture.go_on);
}

TEST(who_says_nothing_keeps_nobody_from_being_answered)
{
	int fds[3];

	start(4, true);
	for (int i = 0; i < 3; i++)
		fds[i] = dial();
	assert_answer("GET", "/echo", 0, "Status: 200");
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	stop();
}

TEST(what_is_no_fastcgi_ends_only_its_connection)
{
	struct buf noise;
	char byte;
	int fd;

	start(1, true);
	buf_init(&noise, 100);
	buf_put_str(&noise, "GET / HTTP/1.1\r\n\r\n");
	fd = dial();
	send_all(fd, &noise);
	assert_true(read(fd, &byte, 1) <= 0);
	close(fd);
	buf_fini(&noise);
	assert_answer("GET", "/echo", 0, "Status: 200 OK\r\n");
	stop();
}

TEST(stops_with_many_threads_waiting_and_before_it_runs)
{
	start(16, true);
	stop();
	start(16, true);
	assert_answer("GET", "/echo", 0, "Status: 200 OK\r\n");
	stop();
}

TEST(a_socket_in_use_is_refused)
{
	struct fcgi_service_conf conf = { .listen = fixture.address, .threads = 1 };
	struct err err;

	start(1, true);
	assert_null(fcgi_service_new(&conf, &err));
	assert_int_equal(err.code, ERR_EXISTS);
	stop();
}
