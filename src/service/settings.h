/* settings.h - everything that can be configured, for all programs.
 *
 * One ini file serves all programs of an installation, so that they cannot
 * disagree; each reads it whole and refuses it whole.  The table in settings.c is
 * the one place that knows names, types, ranges, defaults and help;
 * docs/configuration.md and etc/picstore.conf are made from it.
 *
 * Times are milliseconds, sizes bytes.  Texts are never NULL. */
#pragma once

#include "core/conf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { SETTINGS_STORAGES_MAX = 64, SETTINGS_STORE_PATHS_MAX = 256 };

enum storage_engine { /* in the order of the setting storage.engine */
	STORAGE_ENGINE_VOLUME,
	STORAGE_ENGINE_FAULTY, /* wraps a volume one */
	STORAGE_ENGINE_FILE,
	STORAGE_ENGINE_S3,
	STORAGE_ENGINE_RADOS,
};

enum storage_cold { /* in the order of the setting storage.cold_engine */
	STORAGE_COLD_NONE,
	STORAGE_COLD_S3,
	STORAGE_COLD_RADOS,
};

/* [storage NAME]: one storage_server of this machine. */
struct storage_settings {
	char name[32];   /* the NAME in the section's heading */
	char *group;     /* its group; when empty, NAME */
	char *listen;    /* FastDFS protocol, address to bind */
	char *advertise; /* address that clients are told, when empty that of `listen` */
	int64_t id;      /* storage id for file names (1 to 16777215); 0: the advertised IPv4 */
	int64_t mode;    /* index into "read-write|draining|read-only" */
	struct conf_list store_path; /* folders, M00 first */
	int64_t engine;              /* enum storage_engine */
	int64_t cold_engine;         /* enum storage_cold; behind volumes */
	int64_t volume_size;         /* greatest size of one volume */
	int64_t preallocate;         /* by how much a volume file is grown at a time */
	int64_t punch_delay;         /* from delete until the blocks go back to the file system */
	int64_t scrub_rate;          /* bytes a second; 0: no scrub */
	int64_t scrub_every;         /* from the start of a pass to that of the next */
	int64_t reserved_space;      /* bytes that stay free on each store path's disk */
	int64_t max_file_size;
	int64_t upload_memory; /* for contents on their way in, all connections together */
	char *http_listen;     /* HTTP, address to bind; empty: none */
	int64_t http_threads;
	int64_t http_connections;
	int64_t http_memory; /* for contents on their way out over HTTP */
	char *s3_endpoint, *s3_region, *s3_bucket, *s3_prefix;
	int64_t s3_addressing;               /* index into "path|host" */
	char *s3_access_key, *s3_secret_key; /* names of secrets */
	char *s3_ca;                         /* certificates to trust; empty: the system's */
	int64_t s3_connect_timeout, s3_timeout;
	int64_t s3_in_flight;
	int64_t s3_capacity;
	char *rados_conf, *rados_user, *rados_keyring, *rados_pool, *rados_namespace;
	int64_t rados_replicas; /* index into "refuse|warn" */
	int64_t rados_connect_timeout, rados_timeout;
	int64_t rados_in_flight;
	char *names_postgres; /* conninfo of the database of names of a shared group; or empty */
	char *journal;        /* folder for what is under way on a shared engine */
};

/* What each service that speaks framed packages has in its own section. */
struct frame_settings {
	char *listen;
	int64_t threads; /* that answer; not there for services that need none */
	/* How many "picstore up" starts, on the port of `listen` and those behind it; 0 is
	 * one, for services that have no such key. */
	int64_t instances;
};

/* A service behind admin_proxy. */
struct proxy_service_settings {
	struct conf_list servers; /* its back ends; empty: those of this machine; or "none" */
	int64_t timeout;
	struct conf_list allow; /* who may send its commands, besides proxy.allow */
};

struct proxy_settings {
	char *listen;
	struct conf_list allow; /* who may send every command */
	struct proxy_service_settings cut, del, cs_del, sess_check, metadata;
	int64_t max_connections;
	int64_t client_in_flight, server_in_flight,
		in_flight;   /* of one client; one back end; all */
	int64_t queue;       /* requests of one service that wait for a back end */
	int64_t queue_time;  /* longest such wait */
	int64_t memory;      /* for requests, and as much for replies */
	int64_t connections; /* to each back end */
	int64_t connect_timeout;
	int64_t check; /* index into "ping|connect" */
	int64_t check_interval;
	int64_t check_timeout;
	char *tls_listen; /* empty: no TLS */
	char *tls_certificate, *tls_key;
	char *tls_client_ca; /* whose certificates clients must have; empty: none asked for */
};

struct settings {
	char *file; /* where this was read from */

	/* [picstore] */
	char *user;        /* to run as, when started as root; empty: stay */
	char *run_dir;     /* sockets, pid files */
	char *secret_dir;  /* keys, one file each, readable by `user` alone */
	bool confine;      /* give up what is not needed (service/reach.h) */
	int64_t log_level; /* index into "alarm|error|warn|info|debug" */

	/* [fdfs]: how programs reach the store, and who may reach ours */
	struct conf_list tracker_server; /* host:port */
	int64_t store;                   /* index into "auto|here|elsewhere" */
	int64_t connect_timeout;
	int64_t network_timeout; /* longest wait for a peer in the middle of something */
	int64_t patience;        /* with who is silent, where there is another to ask */
	struct conf_list allow;  /* addresses or networks (a.b.c.d/n) that may use ours */
	int64_t max_connections; /* a server */
	int64_t ip_width;        /* index into "16|46" */
	int64_t record_layout;   /* index into "current|105-612|105-600" */

	/* [tracker] */
	char *tracker_listen;
	char *tracker_advertise; /* for monitoring tools; when empty, tracker_listen */
	char *tracker_memory;    /* file; empty: none */
	int64_t store_lookup;    /* index into "round-robin|most-free|group" */
	char *store_group;       /* for "group" */
	int64_t beat_interval;   /* how often a storage reports */
	int64_t beat_timeout;    /* silent for so long is down */

	/* [storage NAME] */
	struct storage_settings *storages;
	size_t storage_count;

	/* [download] */
	char *download_listen; /* FastCGI socket */
	int64_t download_threads;
	int64_t download_socket_mode; /* of a unix socket: 0660 */
	bool local_read;              /* read volumes of this machine directly */
	int64_t sendfile_from;        /* least size that goes out by X-Sendfile2; 0: never */

	/* [upload] */
	char *upload_listen; /* FastCGI socket */
	int64_t upload_threads;
	int64_t upload_socket_mode;
	char *upload_group; /* where pictures go; empty: the tracker decides */
	int64_t max_picture_bytes;
	int64_t max_width, max_height, max_pixels, max_frames;
	int64_t max_pixels_progressive; /* of a picture that has to be decoded as a whole */
	int64_t check;                  /* index into "full|header" */
	int64_t check_workers;          /* processes that decode */
	int64_t check_timeout;
	int64_t check_memory;     /* address space of one of them */
	struct conf_list formats; /* accepted: jpeg png gif webp avif heic */
	bool keys_des, keys_jwt;
	int64_t key_max_age;
	int64_t key_clock_ahead; /* how far a client's clock may run ahead */
	char *session_check;     /* host:port or unix:/path; empty: keys are not counted */
	int64_t session_check_timeout;
	char *upload_metadata; /* host:port or unix:/path; empty: pictures are not recorded */
	int64_t upload_metadata_timeout;

	/* [varnish] */
	char *varnish_listen;     /* of the cache that "picstore up" starts */
	int64_t varnish_cache;    /* bytes of pictures that it keeps */
	struct conf_list varnish; /* host:port of every cache to purge */
	char *public_url;         /* how clients reach it, for texts that are shown */
	char *varnish_name;       /* -n of the local varnishd, for status */
	int64_t fetch_from;       /* index into "lighttpd|storage" */

	/* [http] */
	char *gateway; /* host:port of lighttpd */

	/* [services]: what all that speak framed packages share */
	int64_t byte_order; /* enum byte_order */
	int64_t max_package;
	struct conf_list services_allow;
	int64_t services_max_connections;
	int64_t services_timeout; /* longest wait for a peer in the middle of something */

	/* [admin_proxy] */
	struct proxy_settings proxy;

	/* [sess_check_svr] */
	struct frame_settings sess_check;
	char *sess_check_folder; /* of the database */
	int64_t sess_check_limit;
	bool sess_check_verify;
	char *sess_check_redis; /* host:port or unix:/path; empty: SQLite */
	int64_t sess_check_redis_timeout;

	/* [metadata_dbsvr] */
	struct frame_settings metadata;
	char *metadata_folder;   /* of the database */
	char *metadata_postgres; /* how to connect to PostgreSQL; empty: SQLite */
	int64_t metadata_pending;

	/* [cut_svr] */
	struct frame_settings cut;
	int64_t cut_workers; /* processes that decode */
	int64_t cut_timeout;
	int64_t cut_memory; /* address space of one of them */
	int64_t cut_max_bytes, cut_max_pixels;
	int64_t cut_quality;
	bool cut_animated;
	int64_t cut_pending;
	char *cut_made; /* file of the database of what was made */

	/* [del_svr] */
	struct frame_settings del;
	char *del_log; /* the delete log; del_file_ontime reads it */

	/* [del_file_ontime] */
	int64_t ontime_older_than; /* from the request until the delete */
	int64_t ontime_every;      /* how often "picstore up" has it look */
	int64_t ontime_batch;      /* pictures in a request */
	char *ontime_proxy;        /* host:port of admin_proxy */

	/* [cs_del_svr] */
	struct frame_settings cs_del;
	int64_t cs_del_workers; /* pictures that are being deleted at a time */
	char *cs_del_receipts;  /* file of the database */
	int64_t cs_del_purge_timeout;
};

/* The table, for -t, the sample and the documentation. */
extern const struct conf_table settings_table;

/* Read `file`; when NULL, $PICSTORE_CONF, else the installed picstore.conf.
 * Returns settings that the caller frees, or NULL with err (ERR_CONFIG): they are
 * checked as a whole, so that a program need not check again. */
struct settings *settings_load(const char *file, struct err *err);

/* The same from text, for tests; `file` is only a name. */
struct settings *settings_parse(const char *file, const char *text, struct err *err);

/* The storage with that name; with `name` NULL the only one.  NULL with err if there
 * is none, or several and no name. */
const struct storage_settings *settings_storage(
	const struct settings *settings, const char *name, struct err *err);

/* Does its engine keep the pictures of a group in one place that all its storages use, with
 * one store path that is no folder? */
bool settings_are_shared(const struct storage_settings *storage);

/* Read the secret `name` ("des", "jwt") from secret_dir into `out`, at most `max`
 * bytes, white space at the end taken off.  Refuses a file that group or others may
 * use, a symbolic link, and an empty or longer secret. */
int settings_secret(const struct settings *settings, const char *name, void *out, size_t max,
	size_t *len, struct err *err);

void settings_free(struct settings *settings);
