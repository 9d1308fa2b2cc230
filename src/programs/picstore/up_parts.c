#include "programs/picstore/up_parts.h"

#include "core/address.h"
#include "programs/picstore/files.h"
#include "programs/picstore/up_vcl.h"
#include "service/store_place.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MAX = 64 << 10,
	ONE_POOL_CORES = 4, /* up to so many, one pool of threads is faster */
	BASE64_EXTRA_KB = 64,
};

static void add(
	struct up_parts *parts, const char *program, const char *instance, const char *where)
{
	struct up_part *part = &parts->part[parts->count++];
	struct address address;

	*part = (struct up_part){ 0 };
	snprintf(part->name, sizeof part->name, "%s%s%s", program, *instance ? "-" : "", instance);
	snprintf(
		part->label, sizeof part->label, "%s%s%s", program, *instance ? " " : "", instance);
	part->is_port = address_parse(where, &address) && !address.is_unix;
	snprintf(part->where, sizeof part->where, "%s",
		part->is_port     ? where
		: address.is_unix ? address.host
				  : where);
}

static void add_services(
	struct up_parts *parts, const char *program, const struct frame_settings *settings)
{
	char where[ADDRESS_HOST_MAX + 16];
	bool is_row = settings->instances > 1 && address_in_row(settings->listen, 0, where);

	for (int64_t i = 0; i < (is_row ? settings->instances : 1); i++) {
		const char *port = "";

		address_in_row(settings->listen, i, where);
		if (is_row)
			port = strrchr(where, ':') + 1;
		add(parts, program, port, where);
		if (is_row)
			snprintf(parts->part[parts->count - 1].options,
				sizeof parts->part[0].options, " -p %s", port);
	}
}

void up_parts_list(struct up_parts *parts, const struct settings *settings)
{
	bool here = store_place_is_here(settings);

	parts->count = 0;
	if (here)
		add(parts, "tracker_server", "", settings->tracker_listen);
	for (size_t i = 0; here && i < settings->storage_count; i++) {
		add(parts, "storage_server", settings->storages[i].name,
			settings->storages[i].listen);
		snprintf(parts->part[parts->count - 1].options, sizeof parts->part[0].options,
			" -i %s", settings->storages[i].name);
	}
	add_services(parts, "cut_svr", &settings->cut);
	add_services(parts, "del_svr", &settings->del);
	add_services(parts, "cs_del_svr", &settings->cs_del);
	add_services(parts, "sess_check_svr", &settings->sess_check);
	add_services(parts, "metadata_dbsvr", &settings->metadata);
	add(parts, "admin_proxy", "", settings->proxy.listen);
	/* A timer, which stays: it has nothing to listen on. */
	add(parts, "del_file_ontime", "", "");
	snprintf(parts->part[parts->count - 1].options, sizeof parts->part[0].options,
		" --every %" PRId64 "ms", settings->ontime_every);
	add(parts, "download.fcgi", "", settings->download_listen);
	add(parts, "upload.cgi", "", settings->upload_listen);
	add(parts, "lighttpd", "", settings->gateway);
	add(parts, "varnishd", "", settings->varnish_listen);
}

void up_put_quoted(struct buf *out, const char *text)
{
	static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789/._-+:=,@";

	if (text[0] != '\0' && text[strspn(text, bare)] == '\0') {
		buf_put_str(out, text);
		return;
	}
	buf_put_str(out, "'");
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			buf_put_str(out, "'\\''");
		else
			buf_put_u8(out, (uint8_t)*text);
	}
	buf_put_str(out, "'");
}

static int make_folder(const char *path, struct err *err)
{
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return err_errno(err, "cannot make the folder %s", path);
	return 0;
}

/* Write `text` to FOLDER/NAME and free it. */
static int write_file(
	const char *folder, const char *name, bool program, struct buf *text, struct err *err)
{
	char path[UP_PATH];
	int status = -1;

	if (up_path(path, err, "%s/%s", folder, name) < 0)
		goto out;
	if (!buf_ok(text)) {
		err_set(err, ERR_INTERNAL, "%s does not fit its limit", path);
		goto out;
	}
	if (files_write(path, buf_span(text), true, err) < 0)
		goto out;
	status = program && chmod(path, 0755) != 0 ? err_errno(err, "cannot chmod %s", path) : 0;
out:
	buf_fini(text);
	return status;
}

static int write_text(const char *folder, const char *name, const char *text, struct err *err)
{
	struct buf buf;

	buf_init(&buf, FILE_MAX);
	buf_put_str(&buf, text);
	return write_file(folder, name, false, &buf, err);
}

static void begin_run(struct buf *run)
{
	buf_init(run, FILE_MAX);
	buf_put_str(run, "#!/bin/sh\nexec 2>&1\n");
}

/* lighttpd and varnishd do not tell when they are ready: they are asked. */
static void put_asking(struct buf *run, const char *address)
{
	struct address parts;

	if (!address_parse(address, &parts))
		return;
	if (strcmp(parts.host, "0.0.0.0") == 0 || strcmp(parts.host, "::") == 0)
		snprintf(parts.host, sizeof parts.host, "127.0.0.1");
	buf_printf(run,
		"exec s6-notifyoncheck -d -n 0 -w 50 -t 5000 -c "
		"\"curl -s -m 4 -o /dev/null http://%s%s%s:%d/\" ",
		strchr(parts.host, ':') ? "[" : "", parts.host, strchr(parts.host, ':') ? "]" : "",
		parts.port);
}

static int put_own(
	struct buf *run, const struct up_place *place, const struct up_part *part, struct err *err)
{
	char program[UP_PATH], name[64];

	snprintf(name, sizeof name, "%.*s", (int)strcspn(part->label, " "), part->label);
	if (up_place_program(place, name, program, err) < 0)
		return -1;
	buf_put_str(run, "PICSTORE_READY_FD=3\nexport PICSTORE_READY_FD\nexec ");
	up_put_quoted(run, program);
	buf_put_str(run, " -c ");
	up_put_quoted(run, place->conf);
	buf_printf(run, "%s\n", part->options);
	return 0;
}

static int put_lighttpd(struct buf *run, const struct up_place *place,
	const struct settings *settings, struct err *err)
{
	char program[UP_PATH], local[UP_PATH];

	if (up_place_program(place, "lighttpd", program, err) < 0 ||
		up_path(local, err, "%s/lighttpd-local.conf", place->run) < 0)
		return -1;
	put_asking(run, settings->gateway);
	buf_printf(run, "%s -D -f ", program);
	up_put_quoted(run, local);
	buf_put_str(run, "\n");
	return 0;
}

static int put_varnishd(struct buf *run, const struct up_place *place,
	const struct settings *settings, struct err *err)
{
	char program[UP_PATH], local[UP_PATH];

	if (up_place_program(place, "varnishd", program, err) < 0 ||
		up_path(local, err, "%s/picstore-local.vcl", place->run) < 0)
		return -1;
	put_asking(run, settings->varnish_listen);
	/* Nothing here is root's any more, so there is no user to change to, and nobody
	 * to open a port for. */
	buf_printf(run, "%s -F -j none -T none -a http=%s,HTTP -s malloc,%" PRId64 " -n ", program,
		settings->varnish_listen, settings->varnish_cache);
	up_put_quoted(run, settings->varnish_name);
	buf_put_str(run, " -f ");
	up_put_quoted(run, local);
	if (sysconf(_SC_NPROCESSORS_ONLN) <= ONE_POOL_CORES)
		buf_put_str(run, " -p thread_pools=1");
	/* A quarter of what a hit costs is its log.  Requests, statuses, sizes and times stay in
	 * it; what the VCL did and which headers it answered with are what varnishd leaves out. */
	buf_put_str(run, " -p vsl_mask=-RespHeader,-ObjHeader,-VCL_call,-VCL_return,-BerespHeader");
	buf_put_str(run, "\n");
	return 0;
}

/* HOME/run/service/NAME: run, finish, notification-fd, timeout-kill, log/run. */
static int write_service(const struct up_place *place, const struct up_part *part,
	const struct settings *settings, struct err *err)
{
	char folder[UP_PATH], log[UP_PATH];
	struct buf run, finish;
	int status;

	if (up_path(folder, err, "%s/%s", place->services, part->name) < 0 ||
		up_path(log, err, "%s/log", folder) < 0 || make_folder(folder, err) < 0 ||
		make_folder(log, err) < 0)
		return -1;
	begin_run(&run);
	if (strcmp(part->name, "lighttpd") == 0)
		status = put_lighttpd(&run, place, settings, err);
	else if (strcmp(part->name, "varnishd") == 0)
		status = put_varnishd(&run, place, settings, err);
	else
		status = put_own(&run, place, part, err);
	if (status < 0) {
		buf_fini(&run);
		return -1;
	}
	if (write_file(folder, "run", true, &run, err) < 0)
		return -1;

	/* Whoever reads the events may be gone: <> does not wait for one. */
	buf_init(&finish, FILE_MAX);
	buf_printf(&finish, "#!/bin/sh\necho \"%s $1 $2\" 1<>", part->name);
	up_put_quoted(&finish, place->run);
	buf_put_str(&finish, "/events\n");
	if (write_file(folder, "finish", true, &finish, err) < 0)
		return -1;

	buf_init(&run, FILE_MAX);
	buf_put_str(&run, "#!/bin/sh\nexec s6-log -b n10 s10000000 ");
	up_put_quoted(&run, place->log);
	buf_printf(&run, "/%s\n", part->name);
	if (write_file(log, "run", true, &run, err) < 0)
		return -1;

	/* Asked to stop, a part finishes what it has begun; a stuck one is killed. */
	if (write_text(folder, "notification-fd", "3\n", err) < 0 ||
		write_text(folder, "timeout-kill", "8000\n", err) < 0)
		return -1;
	return 0;
}

static int write_lighttpd(
	const struct up_place *place, const struct settings *settings, struct err *err)
{
	struct address gateway, download, upload;
	char folder[UP_PATH];
	struct buf text;
	bool first = true;

	if (!address_parse(settings->gateway, &gateway) || gateway.is_unix ||
		!address_parse(settings->download_listen, &download) ||
		!address_parse(settings->upload_listen, &upload))
		return err_set(err, ERR_CONFIG, "[http] gateway has to be host:port");
	if (up_path(folder, err, "%s/upload", place->fast) < 0 || make_folder(folder, err) < 0)
		return -1;
	buf_init(&text, FILE_MAX);
	buf_put_str(&text, "# Written by \"picstore up\" at each start.\n");
	buf_printf(&text, "var.picstore_etc = \"%s\"\n", place->share);
	buf_printf(&text, "var.download_socket = \"%s\"\n", download.host);
	buf_printf(&text, "var.upload_socket = \"%s\"\n", upload.host);
	buf_put_str(&text, "var.store_paths = (");
	for (size_t i = 0; i < settings->storage_count; i++) {
		const struct conf_list *paths = &settings->storages[i].store_path;

		for (size_t j = 0; j < paths->count; j++, first = false)
			buf_printf(&text, "%s\n\t\"%s\"", first ? "" : ",", paths->items[j]);
	}
	buf_put_str(&text, " )\n");
	buf_printf(&text, "var.max_request_kb = %d\n",
		(int)(settings->max_picture_bytes * 4 / 3 / 1024) + BASE64_EXTRA_KB);
	buf_printf(&text, "server.bind = \"%s\"\nserver.port = %d\n", gateway.host, gateway.port);
	/* Varnish's way in: a miss of a large picture costs a third less than over TCP. */
	buf_printf(&text, "$SERVER[\"socket\"] == \"%s/gateway.sock\" { }\n", place->sockets);
	buf_printf(&text, "server.upload-dirs = ( \"%s\" )\n", folder);
	buf_put_str(&text, "include var.picstore_etc + \"/lighttpd.conf\"\n");
	return write_file(place->run, "lighttpd-local.conf", false, &text, err);
}

static int write_vcl(
	const struct up_place *place, const struct settings *settings, struct err *err)
{
	struct buf text;

	buf_init(&text, FILE_MAX);
	up_vcl_put(place, settings, &text);
	return write_file(place->run, "picstore-local.vcl", false, &text, err);
}

int up_parts_write(const struct up_parts *parts, const struct up_place *place,
	const struct settings *settings, struct err *err)
{
	char events[UP_PATH];

	if (up_path(events, err, "%s/events", place->run) < 0)
		return -1;
	unlink(events);
	if (mkfifo(events, 0600) != 0)
		return err_errno(err, "cannot make %s", events);
	if (write_lighttpd(place, settings, err) < 0 || write_vcl(place, settings, err) < 0)
		return -1;
	for (size_t i = 0; i < parts->count; i++)
		if (write_service(place, &parts->part[i], settings, err) < 0)
			return -1;
	return 0;
}
