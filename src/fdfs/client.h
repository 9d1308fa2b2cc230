/* client.h - a client of trackers and storages that speak the FastDFS protocol: ours
 * or FastDFS's own.  All our programs use it.
 *
 * Calls block until they have an outcome or their deadline passes; many threads may
 * use one client at once.  Connections are kept and shared.  Trackers are tried in
 * turn; a request that reads is repeated on another storage, one that changes
 * something only if it surely was not done; otherwise the outcome is ERR_UNKNOWN.
 *
 * Who is silent is not waited for to the end: after `patience_ms` the next tracker is
 * asked, and a storage is left if the trackers say that it is down, or, when reading, that
 * another one has the file too. */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "core/file_id.h"

struct fdfs_client;

struct fdfs_client_conf {
	char *const *trackers; /* "host:port" each; copied */
	size_t tracker_count;
	int64_t connect_timeout_ms;
	int64_t network_timeout_ms; /* of one whole call */
	int64_t patience_ms;        /* with who is silent; 0: network_timeout_ms */
	/* An upload whose outcome is unknown, as its storage went away, is sent to another one.
	 * At worst a copy stays behind whose id nobody has. */
	bool repeat_uploads;
	size_t max_file_size;    /* a longer announced body is refused */
	size_t idle_connections; /* the most that are kept, to each server */
};

/* NULL with err if a tracker's address cannot be read.  Connects to nobody yet. */
struct fdfs_client *fdfs_client_new(const struct fdfs_client_conf *conf, struct err *err);
void fdfs_client_free(struct fdfs_client *client);

/* Store `content` in `group`, or where the tracker says if it is NULL or empty. */
int fdfs_upload(struct fdfs_client *client, const char *group, struct span content, const char *ext,
	struct file_id *id, struct err *err);

/* Store `content`, which had the names `olds` elsewhere (1 to 17, all of one group), in that
 * group of a picstore, so that it answers to them from then on.  With `keep` the first of
 * them is an id of a picstore, which may get it again.  What is there under one of the
 * names already is not stored again: may be repeated.  ERR_EXISTS if it is there with
 * other content, ERR_GONE if it was deleted there, ERR_UNSUPPORTED if that is no picstore,
 * ERR_CORRUPT if the content is not what the names say. */
int fdfs_adopt(struct fdfs_client *client, const struct file_id *olds, size_t count, bool keep,
	struct span content, const char *ext, struct file_id *id, struct err *err);

/* Call `found` for each name that `id` has besides itself: one or none of them is the
 * picture's own (`own`), the others it had elsewhere.  A FastDFS knows of none. */
int fdfs_names(struct fdfs_client *client, const struct file_id *id,
	void (*found)(void *context, const struct file_id *id, bool own), void *context,
	struct err *err);

/* Give the storage at `address` ("host:port") an order to move pictures to its cold store or
 * back, or with `order` NULL ask how it goes.  ERR_UNSUPPORTED if it has none, ERR_BAD_REQUEST
 * if it is no picstore. */
struct fdfs_move_order;
struct fdfs_move_report;
int fdfs_move(struct fdfs_client *client, const char *address, const struct fdfs_move_order *order,
	struct fdfs_move_report *report, struct err *err);

/* Append the whole picture to `out`.  Size and CRC are checked against the id, slaves
 * and appenders excepted: ERR_CORRUPT, and nothing appended, if they do not match.
 * ERR_NOT_FOUND also for what was deleted, unless the storage is ours (ERR_GONE). */
int fdfs_download(
	struct fdfs_client *client, const struct file_id *id, struct buf *out, struct err *err);

struct fdfs_deleted {
	bool source_left; /* the storage that took it in is in its group no more */
	unsigned down; /* other storages of the group that were down, which FastDFS tells later */
};

/* Delete it on the storage that took it in and on every other of its group, since one that
 * lags behind would hand it out for a while.  Returns 0 if one of them had it, ERR_NOT_FOUND
 * (or ERR_GONE) if none did; in these three cases the source has answered, which knows best,
 * or, where it has left, every storage that is up.  ERR_UNREACHABLE if the source is down,
 * though the others have deleted it.  `how`, which may be NULL, is set in those three. */
int fdfs_delete(struct fdfs_client *client, const struct file_id *id, struct fdfs_deleted *how,
	struct err *err);

struct fdfs_info {
	uint64_t size;
	int64_t time;
	uint32_t crc;
	char source[48];
};

int fdfs_stat(struct fdfs_client *client, const struct file_id *id, struct fdfs_info *info,
	struct err *err);

struct fdfs_group {
	char name[FILE_ID_GROUP_MAX + 1];
	uint64_t total_mib, free_mib, reserved_mib;
	uint64_t storages, readable, writable;
};

struct fdfs_storage {
	char group[FILE_ID_GROUP_MAX + 1];
	char id[17], ip[48];
	uint16_t port;
	uint8_t state; /* 7 is active */
	bool shared;   /* any storage of the group has all its files; only ours say so */
	char version[9];
	int64_t joined, started, last_beat; /* Unix seconds */
	int64_t last_source_update; /* when a client last changed something here; 0: never */
	int64_t last_synced;        /* up to when it has what others took in; 0: from nobody */
	uint64_t total_mib, free_mib, reserved_mib;
	uint32_t connections;
	uint64_t uploads, downloads, deletes; /* successful ones */
};

/* Fill `*out` with an array that the caller frees. */
int fdfs_groups(
	struct fdfs_client *client, struct fdfs_group **out, size_t *count, struct err *err);
int fdfs_storages(struct fdfs_client *client, const char *group, struct fdfs_storage **out,
	size_t *count, struct err *err);
