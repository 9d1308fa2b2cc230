/* storage_inside.h - what the commands of storage_server share. */
#pragma once

#include "fdfs/fdfs_server.h"
#include "programs/storage_server/storage_http.h"
#include "programs/storage_server/storage_report.h"
#include "programs/storage_server/storage_requests.h"
#include "service/service.h"
#include "service/ticker.h"
#include "store/engine.h"
#include "store/mover.h"
#include "store/names.h"
#include "store/scrub.h"

struct storage {
	struct storage_limits limits;
	const struct settings *settings;
	const struct storage_settings *own;
	struct fdfs_address address; /* that clients are told */
	uint8_t source[4];           /* as in the ids that are made */
	char source_text[FDFS_ID_WIDTH + 1];
	enum fdfs_ip_width ip_width;
	_Atomic(enum storage_mode) mode;

	struct allow allow;
	struct peer_log peers;
	int fd;
	struct net_loop *loop;
	struct net_server *server;
	struct net_timer *timer;
	struct engine *engine;
	struct names
		*names[ENGINE_ANY_PATH]; /* of each store path, if limits.no_names is not set */
	struct aliases *aliases;         /* those of a shared engine; or NULL */
	struct storage_http *http;       /* NULL: it is not configured */
	struct scrub *scrub;             /* NULL: it is not configured, or keeps no volumes */
	struct ticker *sweep;            /* of what is pending; NULL: the engine is not shared */
	bool sweep_fails;                /* as it last went */
	struct mover *mover;             /* NULL: no cold store stands behind the engine */
	struct storage_report *report;
	_Atomic int64_t full_ms; /* when the engine was full; clock_mono_ms() */
	bool engine_fails;       /* as the loop last saw it */
	int64_t started;         /* Unix seconds */
};

/* A command: answers `request` now or later. */
typedef void storage_command(struct storage *storage, struct net_request *request);

/* The engine, and the names of its store paths. */
int storage_engine_open(struct storage *storage, struct err *err);
void storage_engine_close(struct storage *storage);

/* What trackers are told; of a struct storage_report_conf, with the storage as context. */
bool storage_fill_beat(void *context, struct fdfs_beat *beat);

/* Let the engine make known what is not, now and then, until storage->sweep is freed. */
int storage_sweep_start(struct storage *storage, struct err *err);

storage_command storage_upload, storage_download, storage_info, storage_delete;
storage_command storage_adopt, storage_names_of;

/* Go on moving, if there is a cold store.  0, or -1 with err. */
int storage_move_start(struct storage *storage, struct err *err);

/* Go on with `then`, now or later; a name of another store in the request has been
 * replaced by what it means here. */
void storage_translate(struct storage *storage, struct net_request *request,
	void (*then)(struct storage *storage, struct net_request *request));

/* The same for commands that may wait for a disk and need nothing but one thread: answers
 * by returning 0, with the body in `reply` if there is one, or -1 with err. */
typedef int storage_job(
	struct storage *storage, struct net_request *request, struct buf *reply, struct err *err);

storage_job storage_upload_slave, storage_upload_appender, storage_append, storage_modify,
	storage_truncate, storage_finish, storage_set_metadata, storage_get_metadata,
	storage_list_slaves, storage_move, storage_restore;

/* Do `job` in a thread of the loop's, answer, and count it. */
void storage_do(struct storage *storage, struct net_request *request, storage_job *job);

/* A file, wherever it lies. */
struct storage_found {
	bool in_names; /* else the engine has it */
	bool is_appender;
	struct engine_stat stat; /* crc: 0 for an appender */
};

/* Look for a file.  What is not in the names.db where it would be is asked of the engine: it
 * may be the name that a picture had elsewhere.  May wait for a disk. */
int storage_find(struct storage *storage, const struct file_id *id, struct storage_found *found,
	struct err *err);

/* The file's own id: that of the picture which the name `id` means, or `id` itself.  What
 * belongs to a file, metadata and slaves, is kept under that one, by whichever of its names
 * it came.  May wait for a disk. */
int storage_own_id(
	struct storage *storage, const struct file_id *id, struct file_id *own, struct err *err);

/* May the slave `slave` come here from elsewhere?  ERR_GONE if its master had been moved here
 * and was deleted: what was made from it was deleted with it.  May wait for a disk. */
int storage_may_join(struct storage *storage, const struct file_id *slave, struct err *err);

/* Has store path `path` room for `len` bytes and the reserve?  ERR_FULL if not. */
int storage_room(struct storage *storage, uint8_t path, uint64_t len, struct err *err);

/* Does `id`, if at all, name something in a names.db of this storage? */
static inline bool storage_names_have(const struct storage *storage, const struct file_id *id)
{
	return !storage->limits.no_names && names_have(id);
}

/* The names.db that `id` lies in, or would lie in. */
static inline struct names *storage_names(const struct storage *storage, const struct file_id *id)
{
	return storage->names[id->path];
}

/* Count what went well, by its command. */
void storage_count(uint8_t cmd);

/* Answer with the failure `err`, log and count it.  Any thread. */
void storage_fail(struct net_request *request, const struct err *err);
void storage_fail_and_close(struct net_request *request, const struct err *err);
