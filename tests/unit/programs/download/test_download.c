#include "programs/download.fcgi/download.h"
#include "store_kit.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The program's functions around a storage with pictures; nobody is at the tracker. */
static struct fixture {
	struct kit kit;
	char socket[108];
	struct settings *settings;
	struct service_context context;
	pthread_t thread;
	int result;
} fixture;

static void *run(void *argument)
{
	struct err err;

	(void)argument;
	fixture.result = download_run(&fixture.context, &err);
	return NULL;
}

static void start(void)
{
	char text[2048];
	struct err err = { 0 };

	kit_init(&fixture.kit, 1);
	kit_open(&fixture.kit, "volume");
	snprintf(fixture.socket, sizeof fixture.socket, "%s/socket", unit_scratch());
	snprintf(text, sizeof text,
		"[fdfs]\ntracker_server = 127.0.0.1:1\n"
		"[storage %s]\nadvertise = 10.1.1.197:23000\nstore_path = %s\n"
		"[download]\nlisten = unix:%s\nthreads = 2\nsendfile_from = 16K\n",
		fixture.kit.conf.group, fixture.kit.paths[0], fixture.socket);
	fixture.settings = settings_parse("test.conf", text, &err);
	if (fixture.settings == NULL)
		fail_msg("%s", err.text);
	fixture.context = (struct service_context){ .settings = fixture.settings };
	assert_int_equal(download_listen(&fixture.context, &err), 0);
	assert_int_equal(download_open(&fixture.context, &err), 0);
	assert_int_equal(pthread_create(&fixture.thread, NULL, run, NULL), 0);
	for (int i = 0; i < DELIVERY_FIGURES; i++)
		download_counters[i].value = 0;
}

static void stop(void)
{
	download_stop(&fixture.context);
	pthread_join(fixture.thread, NULL);
	assert_int_equal(fixture.result, 0);
	download_close(&fixture.context);
	settings_free(fixture.settings);
	kit_close(&fixture.kit);
}

static void put_record(struct buf *out, uint8_t type, struct span content)
{
	buf_put_u8(out, 1);
	buf_put_u8(out, type);
	buf_put_be16(out, 1);
	buf_put_be16(out, (uint16_t)content.len);
	buf_put_be16(out, 0);
	buf_put_span(out, content);
}

static void put_param(struct buf *out, const char *name, const char *value)
{
	buf_put_u8(out, (uint8_t)strlen(name));
	buf_put_u8(out, (uint8_t)strlen(value));
	buf_put_str(out, name);
	buf_put_str(out, value);
}

/* The answer's header and body to a GET, up to 64 KB of it, without the frames around. */
static struct buf get(const char *target)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct buf params, request, frames, answer;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct cursor cursor;
	ssize_t got;

	buf_init(&params, 4096);
	put_param(&params, "REQUEST_METHOD", "GET");
	put_param(&params, "REQUEST_URI", target);
	put_param(&params, "REMOTE_ADDR", "127.0.0.1");
	buf_init(&request, 8192);
	put_record(&request, 1, SPAN("\0\1\0\0\0\0\0\0"));
	put_record(&request, 4, buf_span(&params));
	put_record(&request, 4, SPAN(""));
	put_record(&request, 5, SPAN(""));
	strcpy(address.sun_path, fixture.socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(write(fd, request.data, request.len), (ssize_t)request.len);

	buf_init(&frames, 1 << 17);
	while ((got = read(fd, buf_reserve(&frames, 4096), 4096)) > 0)
		frames.len += (size_t)got;
	close(fd);
	buf_init(&answer, 1 << 16);
	for (cursor = cursor_of(buf_span(&frames)); cursor_left(&cursor) > 0;) {
		uint8_t padding, type;
		uint16_t len;

		cursor_get_u8(&cursor);
		type = cursor_get_u8(&cursor);
		cursor_get_be16(&cursor);
		len = cursor_get_be16(&cursor);
		padding = cursor_get_u8(&cursor);
		cursor_get_u8(&cursor);
		if (type == 6)
			buf_put_span(&answer, cursor_get_span(&cursor, len));
		else
			cursor_get_span(&cursor, len);
		cursor_get_span(&cursor, padding);
	}
	assert_true(cursor_end(&cursor) && buf_ok(&answer));
	buf_fini(&params);
	buf_fini(&request);
	buf_fini(&frames);
	return answer;
}

static void expect(const char *target, const char *status, const char *line)
{
	struct buf answer = get(target);

	buf_put_u8(&answer, 0);
	if (strncmp((const char *)answer.data, status, strlen(status)) != 0 ||
		strstr((const char *)answer.data, line) == NULL)
		fail_msg("%s: %s", target, (const char *)answer.data);
	buf_fini(&answer);
}

static void expect_id(const struct file_id *id, const char *status, const char *line)
{
	char target[FILE_ID_TEXT_MAX + 2] = "/";

	file_id_format(id, target + 1);
	expect(target, status, line);
}

static int64_t figure(enum delivery_figure which)
{
	return download_counters[which].value;
}

TEST(hands_out_pictures_and_counts_them)
{
	struct file_id small, large;

	start();
	small = kit_put(&fixture.kit, 1000, 1);
	large = kit_put(&fixture.kit, 20000, 2);
	expect_id(&small, "Status: 200", "Content-Length: 1000\r\n");
	expect_id(&large, "Status: 200", "X-Sendfile2: ");
	assert_int_equal(figure(DELIVERY_PICTURES), 2);
	assert_int_equal(figure(DELIVERY_SLICES), 1);
	assert_int_equal(figure(DELIVERY_BYTES), 21000);
	stop();
}

TEST(tells_the_failures_apart)
{
	struct file_id gone, damaged, unknown, elsewhere;
	struct engine_place place;
	struct err err;

	start();
	gone = kit_put(&fixture.kit, 1000, 3);
	assert_int_equal(kit_remove(&fixture.kit, &gone), ERR_NONE);
	damaged = kit_put(&fixture.kit, 1000, 4);
	assert_int_equal(engine_place(fixture.kit.engine, &damaged, 0, &place, &err), 0);
	kit_flip(&fixture.kit, &damaged, (int64_t)place.offset + 500, 1);
	unknown = kit_put(&fixture.kit, 1000, 5);
	unknown.name[37] = unknown.name[37] == '9' ? '8' : '9'; /* a pad digit */
	elsewhere = unknown;
	strcpy(elsewhere.group, "other"); /* to be asked of a tracker that is not there */
	expect_id(&gone, "Status: 410", "xkey: ");
	expect_id(&damaged, "Status: 502", "\"corrupt\"");
	expect_id(&unknown, "Status: 404", "\"not_found\"");
	expect_id(&elsewhere, "Status: 503", "Retry-After: 5\r\n");
	expect("/download.fcgi/x", "Status: 400", "\"bad_id\"");
	assert_int_equal(figure(DELIVERY_PICTURES), 0);
	assert_int_equal(figure(DELIVERY_MISSING), 2);
	assert_int_equal(figure(DELIVERY_CORRUPT), 1);
	assert_int_equal(figure(DELIVERY_FAILED), 1);
	assert_int_equal(figure(DELIVERY_REFUSED), 1);
	stop();
}

TEST(refuses_a_socket_that_cannot_be)
{
	struct err err = { 0 };

	start();
	stop();
	fixture.settings = settings_parse("test.conf", "", 0);
	assert_non_null(fixture.settings);
	fixture.context = (struct service_context){
		.settings = fixture.settings,
		.listen = "unix:/nonexistent/socket",
	};
	assert_int_equal(download_listen(&fixture.context, &err), -1);
	assert_int_not_equal(err.code, ERR_NONE);
	download_close(&fixture.context);
	settings_free(fixture.settings);
}
