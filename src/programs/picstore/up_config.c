#include "programs/picstore/up_config.h"

#include "core/address.h"
#include "core/durable_file.h"
#include "programs/picstore/conf_edit.h"
#include "programs/picstore/files.h"
#include "service/store_place.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* base+4 and on are the storages'. */
enum {
	CONF_MAX = 1 << 20,
	PORT_ADMIN_PROXY = 72,
	PORT_DEL_SVR = 73,
	PORT_CS_DEL_SVR = 75,
	PORT_CUT_SVR = 77,
	PORT_SESS_CHECK_SVR = 80,
	PORT_METADATA_DBSVR = 81,
	PORT_STORAGE_HTTP = 82, /* and on */
};

static const char first_text[] =
	"# picstore.conf - the settings of every part of this installation.\n"
	"#\n"
	"# \"picstore up\" wrote this file at its first start. It is yours now: change it, then\n"
	"# start again. \"picstore config sample\" shows every setting with its default.\n"
	"#\n"
	"# Four lines follow the folder that all this lies in and are set at each start:\n"
	"# run_dir, listen in [download] and in [upload], name in [varnish]. The ports change\n"
	"# when \"picstore up --port-base N\" says so.\n"
	"\n"
	"[picstore]\n"
	"run_dir = ../run\n"
	"secret_dir = ../secret\n"
	"\n"
	"[fdfs]\n"
	"tracker_server = 127.0.0.1:22122\n"
	"\n"
	"[tracker]\n"
	"listen = 127.0.0.1:22122\n"
	"\n"
	"# Groups: an id begins with the name of its group. Another disk is another store_path,\n"
	"# behind the ones that are there.\n"
	"[storage g01]\n"
	"listen = 127.0.0.1:23000\n"
	"http_listen = 127.0.0.1:8888\n"
	"store_path = ../data/g01\n"
	"\n"
	"[storage g02]\n"
	"listen = 127.0.0.1:23001\n"
	"http_listen = 127.0.0.1:8889\n"
	"store_path = ../data/g02\n"
	"\n"
	"[download]\n"
	"listen = unix:/run/picstore/download.sock\n"
	"\n"
	"[upload]\n"
	"listen = unix:/run/picstore/upload.sock\n"
	"session_check = 127.0.0.1:7003\n"
	"metadata = 127.0.0.1:7004\n"
	"\n"
	"# The one port that others may reach.\n"
	"[varnish]\n"
	"name = varnish\n"
	"listen = 0.0.0.0:8081\n"
	"servers = 127.0.0.1:8081\n"
	"public_url = http://127.0.0.1:8081\n"
	"\n"
	"[http]\n"
	"gateway = 127.0.0.1:8080\n"
	"\n"
	"[cut_svr]\n"
	"made = ../data/cuts/cuts.db\n"
	"\n"
	"[del_svr]\n"
	"log = ../log/delete.log\n"
	"\n"
	"[cs_del_svr]\n"
	"receipts = ../data/receipts/receipts.db\n"
	"\n"
	"[sess_check_svr]\n"
	"folder = ../data/sessions\n"
	"\n"
	"[metadata_dbsvr]\n"
	"folder = ../data/metadata\n";

static void set(struct buf *text, const char *section, const char *key, const char *value)
{
	struct buf edited;

	buf_init(&edited, CONF_MAX);
	conf_edit_set(buf_span(text), section, key, value, &edited);
	buf_fini(text);
	*text = edited;
}

static void set_path(struct buf *text, const char *section, const char *key, const char *before,
	const char *folder, const char *name)
{
	char value[UP_PATH + 40];

	snprintf(value, sizeof value, "%s%s%s", before, folder, name);
	set(text, section, key, value);
}

/* What the settings leave at its default is in the home. */
static void set_own_path(struct buf *text, const char *section, const char *key, const char *value,
	const char *standard, const char *home, const char *name)
{
	if (strcmp(value, standard) == 0)
		set_path(text, section, key, "", home, name);
}

/* The host of `address` stays, the port becomes `port`. */
static void set_port(
	struct buf *text, const char *section, const char *key, const char *address, int64_t port)
{
	struct address old;
	char value[ADDRESS_HOST_MAX + 12];
	bool known = address_parse(address, &old) && !old.is_unix;
	const char *host = known ? old.host : "127.0.0.1";

	snprintf(value, sizeof value, strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host,
		(int)port);
	set(text, section, key, value);
}

static void set_ports(struct buf *text, const struct settings *settings, int64_t base)
{
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%d", (int)base + 1);
	set(text, "varnish", "public_url", url);
	set_port(text, "varnish", "listen", settings->varnish_listen, base + 1);
	set_port(text, "varnish", "servers", "127.0.0.1:0", base + 1);
	set_port(text, "http", "gateway", settings->gateway, base + 2);
	set_port(text, "tracker", "listen", settings->tracker_listen, base + 3);
	/* A store that is another's stays where it is. */
	if (store_place_is_here(settings))
		set_port(text, "fdfs", "tracker_server", "127.0.0.1:0", base + 3);
	for (size_t i = 0; i < settings->storage_count; i++) {
		const struct storage_settings *storage = &settings->storages[i];
		char section[48];

		snprintf(section, sizeof section, "storage %s", storage->name);
		set_port(text, section, "listen", storage->listen, base + 4 + (int64_t)i);
		if (storage->http_listen[0] != '\0' &&
			strncmp(storage->http_listen, "unix:", 5) != 0)
			set_port(text, section, "http_listen", storage->http_listen,
				base + PORT_STORAGE_HTTP + (int64_t)i);
	}
	set_port(text, "admin_proxy", "listen", settings->proxy.listen, base + PORT_ADMIN_PROXY);
	if (strcmp(settings->ontime_proxy, settings->proxy.listen) == 0)
		set_port(text, "del_file_ontime", "proxy", settings->ontime_proxy,
			base + PORT_ADMIN_PROXY);
	set_port(text, "cut_svr", "listen", settings->cut.listen, base + PORT_CUT_SVR);
	set_port(text, "del_svr", "listen", settings->del.listen, base + PORT_DEL_SVR);
	set_port(text, "cs_del_svr", "listen", settings->cs_del.listen, base + PORT_CS_DEL_SVR);
	/* Who asks it moves with it; one of another machine, or nobody, stays. */
	if (strcmp(settings->session_check, settings->sess_check.listen) == 0)
		set_port(text, "upload", "session_check", settings->session_check,
			base + PORT_SESS_CHECK_SVR);
	set_port(text, "sess_check_svr", "listen", settings->sess_check.listen,
		base + PORT_SESS_CHECK_SVR);
	if (strcmp(settings->upload_metadata, settings->metadata.listen) == 0)
		set_port(text, "upload", "metadata", settings->upload_metadata,
			base + PORT_METADATA_DBSVR);
	set_port(text, "metadata_dbsvr", "listen", settings->metadata.listen,
		base + PORT_METADATA_DBSVR);
}

static struct settings *parse(const struct up_place *place, struct buf *text, struct err *err)
{
	buf_put_u8(text, '\0');
	text->len--;
	if (!buf_ok(text)) {
		err_set(err, ERR_CONFIG, "%s is longer than 1 MB", place->conf);
		return NULL;
	}
	return settings_parse(place->conf, (const char *)text->data, err);
}

struct settings *up_config_read(
	const struct up_place *place, int64_t port_base, struct buf *text, struct err *err)
{
	struct settings *settings;

	if (access(place->conf, F_OK) != 0)
		buf_put_str(text, first_text);
	else if (files_read(place->conf, text, err) < 0)
		return NULL;
	settings = parse(place, text, err);
	if (settings == NULL)
		return NULL;
	set_path(text, "picstore", "run_dir", "", place->sockets, "");
	set_path(text, "download", "listen", "unix:", place->sockets, "/download.sock");
	set_path(text, "upload", "listen", "unix:", place->sockets, "/upload.sock");
	set_path(text, "varnish", "name", "", place->fast, "/varnish");
	set_own_path(text, "cut_svr", "made", settings->cut_made, "/var/lib/picstore/cuts/cuts.db",
		place->home, "/data/cuts/cuts.db");
	set_own_path(text, "del_svr", "log", settings->del_log, "/var/lib/picstore/delete.log",
		place->log, "/delete.log");
	set_own_path(text, "cs_del_svr", "receipts", settings->cs_del_receipts,
		"/var/lib/picstore/receipts/receipts.db", place->home,
		"/data/receipts/receipts.db");
	set_own_path(text, "sess_check_svr", "folder", settings->sess_check_folder,
		"/var/lib/picstore/sessions", place->home, "/data/sessions");
	set_own_path(text, "tracker", "memory", settings->tracker_memory,
		"/var/lib/picstore/tracker/storages", place->home, "/data/tracker/storages");
	set_own_path(text, "metadata_dbsvr", "folder", settings->metadata_folder,
		"/var/lib/picstore/metadata", place->home, "/data/metadata");
	if (port_base != UP_STANDARD_PORTS)
		set_ports(text, settings, port_base);
	settings_free(settings);
	return parse(place, text, err);
}

int up_config_write(const struct up_place *place, const struct buf *text, struct err *err)
{
	struct buf old;
	struct err ignored;
	bool same;

	buf_init(&old, CONF_MAX);
	same = access(place->conf, F_OK) == 0 && files_read(place->conf, &old, &ignored) == 0 &&
	       span_equal(buf_span(&old), buf_span(text));
	buf_fini(&old);
	return same ? 0 : durable_file_write(place->conf, buf_span(text), 0644, err);
}
