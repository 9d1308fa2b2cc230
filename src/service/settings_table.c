#include "service/settings.h"

#include <stddef.h>
#include <stdio.h>

#define K      (INT64_C(1) << 10)
#define M      (INT64_C(1) << 20)
#define G      (INT64_C(1) << 30)
#define T      (INT64_C(1) << 40)
#define MS     1
#define SECOND 1000
#define MINUTE 60000
#define HOUR   3600000
#define DAY    86400000

/* Rows of the table: KEY, LIMITED with bounds, CHOICE with choices; the STORAGE forms are
 * the same for the keys of a [storage NAME], which are named as their fields. */
#define ROW(section, name, type, offset, value, min, max, choices, help)                           \
	{                                                                                          \
		section, name, CONF_##type, offset, value, min, max, choices, help                 \
	}
#define KEY(section, name, type, field, value, help)                                               \
	ROW(#section, #name, type, offsetof(struct settings, field), value, 0, 0, NULL, help)
#define LIMITED(section, name, type, field, value, min, max, help)                                 \
	ROW(#section, #name, type, offsetof(struct settings, field), value, min, max, NULL, help)
#define CHOICE(section, name, field, value, choices, help)                                         \
	ROW(#section, #name, CHOICE, offsetof(struct settings, field), value, 0, 0, choices, help)
#define STORAGE(field, type, value, help) STORAGE_LIMITED(field, type, value, 0, 0, help)
#define STORAGE_LIMITED(field, type, value, min, max, help)                                        \
	ROW("storage", #field, type, offsetof(struct storage_settings, field), value, min, max,    \
		NULL, help)
#define STORAGE_CHOICE(field, value, choices, help)                                                \
	ROW("storage", #field, CHOICE, offsetof(struct storage_settings, field), value, 0, 0,      \
		choices, help)

static const struct conf_key keys[] = {
	KEY(picstore, user, TEXT, user, "",
		"User that the daemons become when they are started as root; empty: they stay."),
	KEY(picstore, run_dir, PATH, run_dir, "/run/picstore",
		"Folder of the sockets on which daemons tell their figures."),
	KEY(picstore, secret_dir, PATH, secret_dir, "/etc/picstore/secret",
		"Folder of the keys, a file each, which only the daemons' user may read."),
	KEY(picstore, confine, BOOL, confine, "yes",
		"Daemons give up, before they serve anybody, all files and system calls that they "
		"do not need; no: for a look into one that is in trouble."),
	CHOICE(picstore, log_level, log_level, "info", "alarm|error|warn|info|debug",
		"Least important lines that are still written to the log."),

	KEY(fdfs, tracker_server, LIST, tracker_server, "127.0.0.1:22122",
		"Trackers, host:port, that storages report to and programs ask; those of a "
		"FastDFS cluster work too."),
	CHOICE(fdfs, store, store, "auto", "auto|here|elsewhere",
		"Where the store is: here, so that \"picstore up\" starts tracker_server and the "
		"storages; or elsewhere, such as a FastDFS cluster, so that it starts neither; "
		"auto: here if tracker_server names the address in [tracker] listen."),
	LIMITED(fdfs, connect_timeout, DURATION, connect_timeout, "2s", 10 * MS, HOUR,
		"Longest wait for a connection to a tracker or storage."),
	LIMITED(fdfs, network_timeout, DURATION, network_timeout, "30s", 100 * MS, HOUR,
		"Longest wait for a peer in the middle of a request or an answer."),
	LIMITED(fdfs, patience, DURATION, patience, "2s", 10 * MS, HOUR,
		"Longest silence of a tracker before another is asked, and of a storage before it "
		"is left, if the trackers say that it is down or that another has the file too."),
	KEY(fdfs, allow, LIST, allow, "127.0.0.0/8 ::1",
		"Addresses and networks that may use our trackers and storages; all others "
		"are refused."),
	LIMITED(fdfs, max_connections, INT, max_connections, "4096", 1, 1000000,
		"Most connections that a tracker or storage keeps open at a time."),
	CHOICE(fdfs, ip_width, ip_width, "16", "16|46",
		"Bytes of an address field in the FastDFS protocol: 16, or 46 for clusters "
		"that use IPv6."),
	CHOICE(fdfs, record_layout, record_layout, "current", "current|105-612|105-600",
		"Layout of group and storage records that monitoring clients are sent: of "
		"FastDFS V6.16, of V5.04 to V6.10, or of the versions before."),

	KEY(tracker, listen, ADDRESS, tracker_listen, "127.0.0.1:22122",
		"Address of tracker_server."),
	KEY(tracker, advertise, ADDRESS, tracker_advertise, "",
		"Address that monitoring tools are told when they ask who leads; empty: that of "
		"listen."),
	KEY(tracker, memory, PATH, tracker_memory, "/var/lib/picstore/tracker/storages",
		"File with a line for each storage it has heard of, so that one that is down is "
		"not forgotten; its folder is made if it is not there; empty: none."),
	CHOICE(tracker, store_lookup, store_lookup, "round-robin", "round-robin|most-free|group",
		"How the group of an upload is chosen: in turn, by free space, or always "
		"store_group."),
	KEY(tracker, store_group, TEXT, store_group, "", "The group, for store_lookup = group."),
	LIMITED(tracker, beat_interval, DURATION, beat_interval, "300ms", 50 * MS, HOUR,
		"How often a storage tells its trackers that it lives."),
	LIMITED(tracker, beat_timeout, DURATION, beat_timeout, "1s", 100 * MS, HOUR,
		"A storage that was silent for so long is down."),

	STORAGE(group, TEXT, "", "Group that the storage belongs to; empty: its NAME."),
	STORAGE(listen, ADDRESS, "127.0.0.1:23000", "Address of this storage_server."),
	STORAGE(advertise, ADDRESS, "",
		"Address that clients are told, digits and port, behind NAT for example; empty: "
		"that of listen. IPv6 needs id and fdfs.ip_width = 46."),
	STORAGE_LIMITED(id, INT, "0", 0, 16777215,
		"Number that stands for this storage in the ids of pictures; 0: its "
		"advertised address does."),
	STORAGE_CHOICE(mode, "read-write", "read-write|draining|read-only",
		"What it takes: everything; no uploads, only changes and deletes of what it has; "
		"or reads alone. Read again at SIGHUP."),
	STORAGE(store_path, PATHS, "",
		"Folders for the volumes, one a disk, M00 first; their order is part of the "
		"ids and must stay."),
	STORAGE_CHOICE(engine, "volume", "volume|faulty|file|s3|rados",
		"What keeps the bytes: volume, files on this machine's disks; s3, a bucket of an "
		"S3 service, or rados, a pool of a Ceph cluster, which any number of storages of "
		"the group share; faulty (fails on purpose) and file (a file a picture) are for "
		"tests and benchmarks."),
	STORAGE_CHOICE(cold_engine, "none", "none|s3|rados",
		"With engine = volume: where the bytes of pictures can go, to be sent there by "
		"\"picstore tier\" or \"picstore move\", as the s3_ or rados_ settings say. The "
		"volumes "
		"keep the ids."),
	STORAGE_LIMITED(volume_size, SIZE, "4G", M, 4 * G, "Greatest size of a volume file."),
	STORAGE_LIMITED(preallocate, SIZE, "64M", 0, 4 * G,
		"By how much a volume file is grown at a time."),
	STORAGE_LIMITED(punch_delay, DURATION, "60s", 0, 30 * (int64_t)DAY,
		"Time from a deletion until the blocks go back to the file system."),
	STORAGE_LIMITED(scrub_rate, SIZE, "4M", 0, T,
		"Bytes a second at which it reads and checks everything it has, in the background; "
		"0: it does not."),
	STORAGE_LIMITED(scrub_every, DURATION, "30d", SECOND, 3660 * (int64_t)DAY,
		"Time from the start of such a check to that of the next; one that takes longer is "
		"followed by the next."),
	STORAGE_LIMITED(reserved_space, SIZE, "1G", 0, 1024 * T,
		"Bytes that stay free on the disk of each store path."),
	STORAGE_LIMITED(max_file_size, SIZE, "64M", K, G, "Greatest file that is taken in."),
	STORAGE_LIMITED(upload_memory, SIZE, "256M", M, T,
		"Memory for contents that are on their way in, all connections together."),
	STORAGE(s3_endpoint, TEXT, "",
		"For engine or cold_engine = s3: the service, https://host or https://host:port. "
		"Over http "
		"requests are signed but anybody on the way can read and record them."),
	STORAGE(s3_region, TEXT, "us-east-1", "Region that signatures name."),
	STORAGE(s3_bucket, TEXT, "", "The bucket, which has to be there."),
	STORAGE(s3_prefix, TEXT, "",
		"What the keys of all objects begin with, before /GROUP/: letters, digits, dots, "
		"and - _ / within."),
	STORAGE_CHOICE(s3_addressing, "path", "path|host",
		"Whether the bucket's name goes into the path (https://host/bucket/key) or before "
		"the host (https://bucket.host/key)."),
	STORAGE(s3_access_key, TEXT, "s3_access_key",
		"File in secret_dir that has the access key."),
	STORAGE(s3_secret_key, TEXT, "s3_secret_key",
		"File in secret_dir that has the secret key."),
	STORAGE(s3_ca, PATH, "",
		"Certificates, PEM, that the service's has to be signed by; empty: those that "
		"the system trusts."),
	STORAGE_LIMITED(s3_connect_timeout, DURATION, "2s", 10 * MS, MINUTE,
		"Longest wait for a connection to the service."),
	STORAGE_LIMITED(s3_timeout, DURATION, "10s", 100 * MS, HOUR,
		"Longest time for a put, get or delete with all its tries, each of which gets at "
		"most half of it; a millisecond is added for each KiB."),
	STORAGE_LIMITED(s3_in_flight, INT, "32", 2, 1024,
		"Most requests to the service at a time; three quarters of them may be uploads "
		"and deletes."),
	STORAGE_LIMITED(s3_capacity, SIZE, "1T", M, 1024 * 1024 * T,
		"Free space that the storage reports, since a bucket does not tell."),
	STORAGE(rados_conf, PATH, "/etc/ceph/ceph.conf",
		"For engine = rados: the file that says where the cluster's monitors are."),
	STORAGE(rados_user, TEXT, "client.picstore", "User of the cluster, by its full name."),
	STORAGE(rados_keyring, PATH, "",
		"File with the user's key, which the daemons' user may read; empty: where "
		"rados_conf says."),
	STORAGE(rados_pool, TEXT, "", "The pool, which has to be there."),
	STORAGE(rados_namespace, TEXT, "",
		"Namespace within the pool, which a key can be restricted to; empty: the one "
		"without a name."),
	STORAGE_CHOICE(rados_replicas, "refuse", "refuse|warn",
		"What to do with a pool that keeps fewer than three copies or acknowledges with "
		"fewer than two: not to start, or to start with a warning."),
	STORAGE_LIMITED(rados_connect_timeout, DURATION, "5s", SECOND, HOUR,
		"Longest wait for the monitors, in whole seconds."),
	STORAGE_LIMITED(rados_timeout, DURATION, "10s", 2 * SECOND, HOUR,
		"Longest time for a put, get or delete with all its tries, each of which gets "
		"half of it, in whole seconds."),
	STORAGE_LIMITED(rados_in_flight, INT, "32", 2, 1024,
		"Most operations in the cluster at a time; three quarters of them may be uploads "
		"and deletes."),
	STORAGE(names_postgres, TEXT, "",
		"For engine = s3 and rados: the PostgreSQL database (a conninfo of libpq) for "
		"slave files, "
		"appender files, metadata and names of elsewhere, which all storages of the group "
		"use; empty: the group has none of these."),
	STORAGE(journal, PATH, "/var/lib/picstore/journal",
		"For engine = s3 and rados: folder on this machine where uploads and deletes that "
		"are under "
		"way are noted, in a file NAME.db, so that none of unknown outcome leaves "
		"anything behind; it is made if it is not there."),
	STORAGE(http_listen, ADDRESS, "",
		"Address at which it answers GET and HEAD over HTTP itself, usually 127.0.0.1:8888 "
		"or unix:/path; empty: it does not. fdfs.allow says who may use it."),
	STORAGE_LIMITED(http_threads, INT, "2", 1, 64,
		"Threads that wait for HTTP connections, any number of them each."),
	STORAGE_LIMITED(http_connections, INT, "2048", 1, 1000000,
		"Most HTTP connections at a time; more wait until one ends."),
	STORAGE_LIMITED(http_memory, SIZE, "256M", 2 * M, T,
		"Memory for pictures that are on their way out over HTTP; over half of it they "
		"are sent from their volumes, over all of it requests are answered 503."),

	KEY(download, listen, ADDRESS, download_listen, "unix:/run/picstore/download.sock",
		"FastCGI socket of download.fcgi, as the web server's configuration names it."),
	LIMITED(download, threads, INT, download_threads, "8", 1, 1024,
		"Requests that download.fcgi answers at a time."),
	KEY(download, socket_mode, MODE, download_socket_mode, "660",
		"Mode of that socket, if it is a unix one."),
	KEY(download, local_read, BOOL, local_read, "yes",
		"Read volumes of storages on this machine directly instead of asking the "
		"storage."),
	LIMITED(download, sendfile_from, SIZE, sendfile_from, "16K", 0, T,
		"Least size of a picture that the web server is told to send from the volume "
		"itself (X-Sendfile2); 0: never."),

	KEY(upload, listen, ADDRESS, upload_listen, "unix:/run/picstore/upload.sock",
		"FastCGI socket of upload.cgi, as the web server's configuration names it."),
	LIMITED(upload, threads, INT, upload_threads, "16", 1, 1024,
		"Requests that upload.cgi answers at a time."),
	KEY(upload, socket_mode, MODE, upload_socket_mode, "660",
		"Mode of that socket, if it is a unix one."),
	KEY(upload, group, TEXT, upload_group, "",
		"Group that pictures go to; empty: the tracker decides."),
	LIMITED(upload, max_picture_bytes, SIZE, max_picture_bytes, "5M", K, G,
		"Greatest picture; the web server's own limit must be above it."),
	LIMITED(upload, max_width, INT, max_width, "20000", 1, 1000000,
		"Greatest width in pixels."),
	LIMITED(upload, max_height, INT, max_height, "20000", 1, 1000000,
		"Greatest height in pixels."),
	LIMITED(upload, max_pixels, INT, max_pixels, "50000000", 1, INT64_C(10000000000),
		"Most pixels of a frame, width times height."),
	LIMITED(upload, max_frames, INT, max_frames, "500", 1, 100000,
		"Most frames of an animated picture."),
	LIMITED(upload, max_pixels_progressive, INT, max_pixels_progressive, "16000000", 1,
		INT64_C(10000000000),
		"Most pixels of a picture that is decoded as a whole (progressive JPEG, "
		"interlaced PNG), which costs five times the time and memory."),
	CHOICE(upload, check, check, "full", "full|header",
		"How a picture is checked before it is taken: full decodes every pixel, "
		"header reads its size and type alone and is faster."),
	LIMITED(upload, check_workers, INT, check_workers, "2", 1, 256,
		"Processes that decode; as many as there are cores is right."),
	LIMITED(upload, check_timeout, DURATION, check_timeout, "4s", 10 * MS, HOUR,
		"Longest time that one picture may be decoded for."),
	LIMITED(upload, check_memory, SIZE, check_memory, "1G", 64 * M, T,
		"Most address space of a process that decodes."),
	KEY(upload, formats, LIST, formats, "jpeg png gif webp avif heic",
		"Formats that are accepted, of jpeg, png, gif, webp, avif and heic."),
	KEY(upload, keys_des, BOOL, keys_des, "yes",
		"Accept DES session keys: for clients that exist; a stranger can forge them "
		"with some effort."),
	KEY(upload, keys_jwt, BOOL, keys_jwt, "yes",
		"Accept JWT session keys, which cannot be forged."),
	LIMITED(upload, key_max_age, DURATION, key_max_age, "1h", SECOND, 18 * (int64_t)HOUR,
		"Age at which a session key expires."),
	LIMITED(upload, key_clock_ahead, DURATION, key_clock_ahead, "5m", 0, 10 * MINUTE,
		"By how much the clock that made a session key may run ahead of ours."),
	KEY(upload, session_check, ADDRESS, session_check, "",
		"The sess_check_svr, or the admin_proxy, that counts how often a key is used; "
		"empty: keys may be used any number of times."),
	LIMITED(upload, session_check_timeout, DURATION, session_check_timeout, "2s", 10 * MS, HOUR,
		"Longest wait for it; uploads whose key cannot be counted are refused."),
	KEY(upload, metadata, ADDRESS, upload_metadata, "",
		"The metadata_dbsvr, or the admin_proxy, that each picture is recorded in; "
		"empty: none is."),
	LIMITED(upload, metadata_timeout, DURATION, upload_metadata_timeout, "5s", 10 * MS, HOUR,
		"Longest wait for it; uploads that cannot be recorded are refused."),

	KEY(varnish, listen, ADDRESS, varnish_listen, "0.0.0.0:8081",
		"Where the cache that \"picstore up\" starts listens: the one public port."),
	LIMITED(varnish, cache, SIZE, varnish_cache, "256M", M, T,
		"Memory that the cache that \"picstore up\" starts keeps pictures in."),
	KEY(varnish, servers, LIST, varnish, "127.0.0.1:8081",
		"Every cache, host:port, that deleted pictures are purged from."),
	KEY(varnish, public_url, TEXT, public_url, "http://127.0.0.1:8081",
		"How clients reach the cache, for texts that show it."),
	KEY(varnish, name, TEXT, varnish_name, "",
		"Working folder or name (-n) of this machine's varnishd; empty: its default."),
	CHOICE(varnish, fetch_from, fetch_from, "lighttpd", "lighttpd|storage",
		"Where the cache that \"picstore up\" starts fetches pictures: through lighttpd "
		"and "
		"download.fcgi, or straight from the storages that have an http_listen."),

	KEY(http, gateway, ADDRESS, gateway, "127.0.0.1:8080",
		"Where the web server behind the cache listens."),

	CHOICE(services, byte_order, byte_order, "little", "little|big",
		"Order of the bytes of integers in framed packages, of all services and of "
		"their callers."),
	LIMITED(services, max_package, SIZE, max_package, "1M", K, 64 * M,
		"Longest framed package; a longer one is refused and its connection closed."),
	KEY(services, allow, LIST, services_allow, "127.0.0.0/8 ::1",
		"Addresses and networks that may connect to the services; all others are "
		"refused."),
	LIMITED(services, max_connections, INT, services_max_connections, "1024", 1, 1000000,
		"Most connections that a service keeps open at a time."),
	LIMITED(services, timeout, DURATION, services_timeout, "30s", 100 * MS, HOUR,
		"Longest wait for a peer in the middle of a package."),

	KEY(admin_proxy, listen, ADDRESS, proxy.listen, "127.0.0.1:6998",
		"Address of admin_proxy."),
	KEY(admin_proxy, allow, LIST, proxy.allow, "127.0.0.0/8 ::1",
		"Addresses and networks that may send every command. Who is on no list of this "
		"section cannot connect."),
	KEY(admin_proxy, cut_svr, LIST, proxy.cut.servers, "",
		"Back ends of cut_svr, which answers 3005; empty: those of this machine, as "
		"[cut_svr] says; none: it is not served."),
	LIMITED(admin_proxy, cut_svr_timeout, DURATION, proxy.cut.timeout, "60s", 10 * MS, HOUR,
		"Longest wait for its answer, waiting for a back end included."),
	KEY(admin_proxy, cut_svr_allow, LIST, proxy.cut.allow, "",
		"Addresses and networks that may send its commands, besides those in allow."),
	KEY(admin_proxy, del_svr, LIST, proxy.del.servers, "",
		"Back ends of del_svr, which answers 3002; empty: those of this machine, as "
		"[del_svr] says; none: it is not served."),
	LIMITED(admin_proxy, del_svr_timeout, DURATION, proxy.del.timeout, "10s", 10 * MS, HOUR,
		"Longest wait for its answer, waiting for a back end included."),
	KEY(admin_proxy, del_svr_allow, LIST, proxy.del.allow, "",
		"Addresses and networks that may send its commands, besides those in allow."),
	KEY(admin_proxy, cs_del_svr, LIST, proxy.cs_del.servers, "",
		"Back ends of cs_del_svr, which answers 3030; empty: those of this machine, as "
		"[cs_del_svr] says; none: it is not served."),
	LIMITED(admin_proxy, cs_del_svr_timeout, DURATION, proxy.cs_del.timeout, "60s", 10 * MS,
		HOUR, "Longest wait for its answer, waiting for a back end included."),
	KEY(admin_proxy, cs_del_svr_allow, LIST, proxy.cs_del.allow, "",
		"Addresses and networks that may send its commands, besides those in allow."),
	KEY(admin_proxy, sess_check_svr, LIST, proxy.sess_check.servers, "",
		"Back ends of sess_check_svr, which answers 0x10B5; empty: those of this machine, "
		"as [sess_check_svr] says; none: it is not served."),
	LIMITED(admin_proxy, sess_check_svr_timeout, DURATION, proxy.sess_check.timeout, "5s",
		10 * MS, HOUR, "Longest wait for its answer, waiting for a back end included."),
	KEY(admin_proxy, sess_check_svr_allow, LIST, proxy.sess_check.allow, "",
		"Addresses and networks that may send its commands, besides those in allow."),
	KEY(admin_proxy, metadata_dbsvr, LIST, proxy.metadata.servers, "",
		"Back ends of metadata_dbsvr, which answers 0x10C0 to 0x10DF; empty: that of this "
		"machine, as [metadata_dbsvr] says; none: it is not served."),
	LIMITED(admin_proxy, metadata_dbsvr_timeout, DURATION, proxy.metadata.timeout, "10s",
		10 * MS, HOUR, "Longest wait for its answer, waiting for a back end included."),
	KEY(admin_proxy, metadata_dbsvr_allow, LIST, proxy.metadata.allow, "",
		"Addresses and networks that may send its commands, besides those in allow."),
	LIMITED(admin_proxy, max_connections, INT, proxy.max_connections, "4096", 1, 1000000,
		"Most clients that are connected at a time."),
	LIMITED(admin_proxy, client_in_flight, INT, proxy.client_in_flight, "256", 1, 4096,
		"Requests of one connection that are under way at a time; it is read further "
		"when one is answered."),
	LIMITED(admin_proxy, server_in_flight, INT, proxy.server_in_flight, "256", 1, 4096,
		"Requests that one back end has at a time."),
	LIMITED(admin_proxy, in_flight, INT, proxy.in_flight, "8192", 1, 1000000,
		"Requests of all connections that are under way at a time; clients are read "
		"further when some are answered."),
	LIMITED(admin_proxy, queue, INT, proxy.queue, "1024", 0, 1000000,
		"Requests of one service that wait for a back end; more are answered with busy."),
	LIMITED(admin_proxy, queue_time, DURATION, proxy.queue_time, "2s", 0, HOUR,
		"Longest wait for a back end that is up and has room."),
	LIMITED(admin_proxy, memory, SIZE, proxy.memory, "64M", M, T,
		"Memory for requests, and as much for replies that clients do not take."),
	LIMITED(admin_proxy, connections, INT, proxy.connections, "2", 1, 16,
		"Connections to each back end, besides the one for checks."),
	LIMITED(admin_proxy, connect_timeout, DURATION, proxy.connect_timeout, "1s", 10 * MS, HOUR,
		"Longest wait for a connection to a back end."),
	CHOICE(admin_proxy, check, proxy.check, "ping", "ping|connect",
		"How back ends are checked: by the command 0x10B0, or, where it is not known, by "
		"connecting."),
	LIMITED(admin_proxy, check_interval, DURATION, proxy.check_interval, "500ms", 10 * MS, HOUR,
		"Time between two checks of a back end that is up."),
	LIMITED(admin_proxy, check_timeout, DURATION, proxy.check_timeout, "1s", 10 * MS, HOUR,
		"Longest wait for the answer to a check; then nothing new is sent there."),
	KEY(admin_proxy, tls_listen, ADDRESS, proxy.tls_listen, "",
		"A second address, for clients that speak TLS; empty: none."),
	KEY(admin_proxy, tls_certificate, PATH, proxy.tls_certificate, "",
		"Its certificate and those above it, PEM."),
	KEY(admin_proxy, tls_key, PATH, proxy.tls_key, "", "The certificate's key, PEM."),
	KEY(admin_proxy, tls_client_ca, PATH, proxy.tls_client_ca, "",
		"Certificates, PEM, that have signed those of clients; empty: clients need none."),

	KEY(sess_check_svr, listen, ADDRESS, sess_check.listen, "127.0.0.1:7003",
		"Address of sess_check_svr."),
	KEY(sess_check_svr, folder, PATH, sess_check_folder, "/var/lib/picstore/sessions",
		"Folder of its database; made if it is not there."),
	LIMITED(sess_check_svr, checks, INT, sess_check_limit, "30", 1, 1000000,
		"How often a session key may be used."),
	KEY(sess_check_svr, verify, BOOL, sess_check_verify, "yes",
		"Refuse keys that upload.cgi would refuse (forged, too old), by the secrets and "
		"rules of [upload]; no: count whatever is sent."),
	KEY(sess_check_svr, redis, ADDRESS, sess_check_redis, "",
		"A Redis server that keeps the counts, so that several machines share them; "
		"empty: the database in folder."),
	LIMITED(sess_check_svr, redis_timeout, DURATION, sess_check_redis_timeout, "1s", 10 * MS,
		HOUR, "Longest wait for the Redis server."),

	KEY(cut_svr, listen, ADDRESS, cut.listen, "127.0.0.1:9020",
		"Address of cut_svr; further ones are started with --port."),
	LIMITED(cut_svr, instances, INT, cut.instances, "2", 1, 16,
		"How many \"picstore up\" starts, on that port and those behind it."),
	LIMITED(cut_svr, threads, INT, cut.threads, "16", 1, 256,
		"Requests that are under way at a time."),
	LIMITED(cut_svr, workers, INT, cut_workers, "1", 1, 256,
		"Processes of each instance that decode; as many as there are cores, of all "
		"instances together, is right."),
	LIMITED(cut_svr, timeout, DURATION, cut_timeout, "10s", 10 * MS, HOUR,
		"Longest time that one picture may take, and longest wait for a process that is "
		"free."),
	LIMITED(cut_svr, memory, SIZE, cut_memory, "1G", 64 * M, T,
		"Most address space of a process that decodes."),
	LIMITED(cut_svr, max_bytes, SIZE, cut_max_bytes, "32M", K, G,
		"Greatest picture that is cut, and greatest that is made; its pixels are limited "
		"as those of uploads are."),
	LIMITED(cut_svr, max_pixels, INT, cut_max_pixels, "25000000", 1, INT64_C(1000000000),
		"Most pixels of a picture that is made, all frames together."),
	LIMITED(cut_svr, quality, INT, cut_quality, "85", 1, 100,
		"Quality of the JPEG, WebP, AVIF and HEIC that are made."),
	KEY(cut_svr, animated, BOOL, cut_animated, "no",
		"Cut all frames of an animated GIF or WebP rather than the first alone."),
	LIMITED(cut_svr, pending, DURATION, cut_pending, "1m", SECOND, DAY,
		"Age at which a picture is searched for whose storing was cut off, by a crash or a "
		"lost answer; longer than a storage may take to store one."),
	KEY(cut_svr, made, PATH, cut_made, "/var/lib/picstore/cuts/cuts.db",
		"Database of what was made of which picture, which all instances and cs_del_svr "
		"share; its folder is made if it is not there."),

	KEY(del_svr, listen, ADDRESS, del.listen, "127.0.0.1:9010",
		"Address of del_svr; further ones are started with --port."),
	LIMITED(del_svr, instances, INT, del.instances, "2", 1, 16,
		"How many \"picstore up\" starts, on that port and those behind it."),
	KEY(del_svr, log, PATH, del_log, "/var/lib/picstore/delete.log",
		"The delete log: a line for each picture that is to be deleted."),

	LIMITED(del_file_ontime, older_than, DURATION, ontime_older_than, "1h", 0,
		3660 * (int64_t)DAY,
		"Time from the request to delete a picture until it is deleted; until then "
		"\"picstore undelete\" takes it back."),
	LIMITED(del_file_ontime, every, DURATION, ontime_every, "1m", 100 * MS, DAY,
		"How often \"picstore up\" has it look for pictures whose time has come."),
	LIMITED(del_file_ontime, batch, INT, ontime_batch, "100", 1, 10000,
		"Pictures in one request; fewer, if max_package has no room for them."),
	KEY(del_file_ontime, proxy, ADDRESS, ontime_proxy, "127.0.0.1:6998",
		"Address of admin_proxy, which takes the requests to cs_del_svr."),

	KEY(cs_del_svr, listen, ADDRESS, cs_del.listen, "127.0.0.1:9030",
		"Address of cs_del_svr; further ones are started with --port."),
	LIMITED(cs_del_svr, instances, INT, cs_del.instances, "2", 1, 16,
		"How many \"picstore up\" starts, on that port and those behind it."),
	LIMITED(cs_del_svr, threads, INT, cs_del.threads, "16", 1, 256,
		"Requests that are under way at a time."),
	LIMITED(cs_del_svr, workers, INT, cs_del_workers, "8", 1, 256,
		"Pictures that are being deleted at a time, of all requests together."),
	KEY(cs_del_svr, receipts, PATH, cs_del_receipts, "/var/lib/picstore/receipts/receipts.db",
		"Database of the receipts; its folder is made if it is not there."),
	LIMITED(cs_del_svr, purge_timeout, DURATION, cs_del_purge_timeout, "2s", 10 * MS, HOUR,
		"Longest wait for a cache to purge, and to answer for a picture."),

	KEY(metadata_dbsvr, listen, ADDRESS, metadata.listen, "127.0.0.1:7004",
		"Address of metadata_dbsvr."),
	LIMITED(metadata_dbsvr, threads, INT, metadata.threads, "4", 1, 256,
		"Requests that only read which it answers at a time."),
	KEY(metadata_dbsvr, folder, PATH, metadata_folder, "/var/lib/picstore/metadata",
		"Folder of its database; made if it is not there."),
	KEY(metadata_dbsvr, postgres, TEXT, metadata_postgres, "",
		"How to connect to a PostgreSQL that keeps the photos, as libpq reads it "
		"(host=... dbname=... user=...); empty: the database in folder."),
	LIMITED(metadata_dbsvr, pending, DURATION, metadata_pending, "1m", SECOND, DAY,
		"Age at which a photo whose upload never came to its end is settled: by what "
		"is found in the store."),
};

static const char *const named_sections[] = { "storage", NULL };

static void *storage_instance(void *target, const char *section, const char *name, struct err *err)
{
	struct settings *settings = target;
	struct storage_settings *storage;

	if (settings->storage_count == SETTINGS_STORAGES_MAX) {
		err_set(err, ERR_CONFIG, "there are more than %d storages", SETTINGS_STORAGES_MAX);
		return NULL;
	}
	storage = &settings->storages[settings->storage_count++];
	snprintf(storage->name, sizeof storage->name, "%s", name);
	if (conf_instance_defaults(&settings_table, section, storage, err) != 0)
		return NULL;
	return storage;
}

const struct conf_table settings_table = {
	.keys = keys,
	.count = sizeof keys / sizeof keys[0],
	.instance = storage_instance,
	.named = named_sections,
};
