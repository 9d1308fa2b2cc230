/* names_client - what src/fdfs does with slaves, appenders and metadata, on a real cluster.
 *
 *     names_client TRACKER
 *
 * Prints a line a step, and "all as it should be" when each had the outcome it must have.
 * What it stores it deletes. */
#include "core/crc32.h"
#include "fdfs/client_names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20 };

static const char owner[] = "owner\002somebody\001width\002640";
static struct fdfs_client *client;
static struct err err;

_Noreturn static void __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" (%s)\n", err.text);
	exit(1);
}

static void must(const char *step, int result)
{
	if (result != 0)
		wrong("%s went wrong", step);
	puts(step);
}

static void must_fail(const char *step, int result, enum err_code code)
{
	if (result == 0 || err.code != code)
		wrong("%s ended with %d", step, result == 0 ? 0 : (int)err.code);
	puts(step);
}

static void must_hold(const struct file_id *id, const char *content)
{
	struct buf got;

	buf_init(&got, FILE_MAX);
	if (fdfs_download(client, id, &got, &err) != 0 ||
		!span_equal(buf_span(&got), span_str(content)))
		wrong("'%s' did not come back", content);
	buf_fini(&got);
	printf("has '%s'\n", content);
}

static void must_have_metadata(const struct file_id *id, const char *text)
{
	struct buf got;

	buf_init(&got, FILE_MAX);
	if (fdfs_get_metadata(client, id, &got, &err) != 0 ||
		!span_equal(buf_span(&got), span_str(text)))
		wrong("other metadata came back: %.*s", (int)got.len, (char *)got.data);
	buf_fini(&got);
	puts("has its metadata");
}

static void nobody(void *context, const struct file_id *slave)
{
	(void)context;
	(void)slave;
}

static void metadata(const struct file_id *id)
{
	struct buf none;

	buf_init(&none, FILE_MAX);
	must_fail("no metadata yet", fdfs_get_metadata(client, id, &none, &err), ERR_NOT_FOUND);
	buf_fini(&none);
	must("set metadata", fdfs_set_metadata(client, id, false, span_str(owner), &err));
	must_have_metadata(id, owner);
	must("merge metadata",
		fdfs_set_metadata(client, id, true, SPAN("height\002480\001width\00232"), &err));
	must_have_metadata(id, "height\002480\001owner\002somebody\001width\00232");
	must("replace metadata", fdfs_set_metadata(client, id, false, SPAN("a\002b"), &err));
	must_have_metadata(id, "a\002b");
}

static void slaves(const struct file_id *master)
{
	struct file_id slave, again, other = *master;

	must("upload a slave",
		fdfs_upload_slave(client, master, "_small", "jpg", SPAN("a slave"), &slave, &err));
	must_hold(&slave, "a slave");
	must_fail("its name is taken",
		fdfs_upload_slave(client, master, "_small", "jpg", SPAN("b slave"), &again, &err),
		ERR_EXISTS);
	must_hold(&slave, "a slave");
	if (fdfs_slaves(client, master, nobody, NULL, &err) != 0 && err.code != ERR_UNSUPPORTED)
		wrong("asking for slaves");
	must("delete the slave", fdfs_delete(client, &slave, NULL, &err));
	must_fail("the slave is gone", fdfs_delete(client, &slave, NULL, &err), ERR_NOT_FOUND);
	other.crc ^= 1;
	other.kind = FILE_ID_NORMAL;
	if (!file_id_make(&other, 7))
		wrong("making an id");
	must_fail("a slave of nobody",
		fdfs_upload_slave(client, &other, "_small", "jpg", SPAN("c"), &slave, &err),
		ERR_NOT_FOUND);
}

static void appender(void)
{
	struct file_id id, last;
	struct fdfs_info info;

	must("upload an appender",
		fdfs_upload_appender(client, NULL, SPAN("12345"), "log", &id, &err));
	must_hold(&id, "12345");
	must("append", fdfs_append(client, &id, SPAN("678"), &err));
	must("modify", fdfs_modify(client, &id, 2, SPAN("XY"), &err));
	must_hold(&id, "12XY5678");
	must_fail("modify behind its end", fdfs_modify(client, &id, 100, SPAN("Z"), &err),
		ERR_BAD_REQUEST);
	must("truncate", fdfs_truncate(client, &id, 4, &err));
	must_hold(&id, "12XY");
	must("finish", fdfs_finish(client, &id, &last, &err));
	must_hold(&last, "12XY");
	must("stat", fdfs_stat(client, &last, &info, &err));
	if (info.size != 4 || info.crc != crc32_add(0, SPAN("12XY")))
		wrong("stat tells of another file");
	must_fail("append to a finished file", fdfs_append(client, &last, SPAN("9"), &err),
		ERR_BAD_REQUEST);
	must_fail("its old name is gone", fdfs_append(client, &id, SPAN("9"), &err), ERR_NOT_FOUND);
	must("delete", fdfs_delete(client, &last, NULL, &err));
}

int main(int argc, char **argv)
{
	const struct fdfs_client_conf conf = {
		.trackers = argv + 1,
		.tracker_count = 1,
		.connect_timeout_ms = 2000,
		.network_timeout_ms = 10000,
		.max_file_size = FILE_MAX,
		.idle_connections = 4,
	};
	struct file_id master;

	client = argc == 2 ? fdfs_client_new(&conf, &err) : NULL;
	if (client == NULL)
		wrong("usage: names_client TRACKER");
	must("upload", fdfs_upload(client, NULL, SPAN("the master"), "jpg", &master, &err));
	metadata(&master);
	slaves(&master);
	must("delete the master", fdfs_delete(client, &master, NULL, &err));
	appender();
	fdfs_client_free(client);
	puts("all as it should be");
	return 0;
}
