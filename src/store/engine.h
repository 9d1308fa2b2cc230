/* engine.h - what keeps the bytes of a group.
 *
 * An engine is a table of functions; engine_volume keeps pictures in volume files
 * on this machine's disks, engine_s3 in a bucket of an S3 service, engine_rados in a pool of a
 * Ceph cluster, engine_faulty wraps another and fails on purpose.  All pass one contract test
 * (tests/unit/store/test_engine_contract.c).
 *
 * engine_open puts around an engine what it does not need to know of: names that pictures
 * had elsewhere (engine_alias.h), and around a shared one the journal (engine_pending.h).
 * A shared engine keeps pictures and nothing else, and calls `sending` of puts and removes.
 *
 * Outcomes are err codes, and mean the same of every engine:
 *
 *     ERR_NONE         done, and it stays so
 *     ERR_NOT_FOUND    it is not there; never said because nobody could be asked
 *     ERR_GONE         it has been deleted; an engine that keeps no tombstones says
 *                      ERR_NOT_FOUND instead
 *     ERR_EXISTS       something is there already
 *     ERR_FULL         no room; reads and deletes go on
 *     ERR_BUSY         not done; later it may work
 *     ERR_NOT_ALLOWED  refused: the store is read-only, a key or a bucket is wrong
 *     ERR_CORRUPT      the bytes do not match their id, also when they are read again
 *     ERR_UNKNOWN      it may or may not have been done: a deadline passed, a connection
 *                      broke.  Behind a network that cannot be avoided.  What was put is
 *                      removed by engine_sweep, a remove repeated, if there is a journal
 *     ERR_UNREACHABLE  not done, or not read: nobody answers (ERR_TIMEOUT: not in time).  Of
 *                      the engine "volume": the bytes lie in a cold store
 *     ERR_IO           not done: the operating system reports an error
 *
 * besides those for callers: ERR_BAD_REQUEST, ERR_TOO_LARGE, ERR_WOULD_BLOCK,
 * ERR_UNSUPPORTED.
 *
 * Everything may be called from any thread. */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "core/file_id.h"

enum { ENGINE_ANY_PATH = 255, ENGINE_PLACE_START = 64 };

struct engine_conf {
	const char *group;
	uint8_t source[4];  /* for the ids that are made */
	char *const *paths; /* store paths, folders that exist */
	size_t path_count;
	bool read_only;       /* never writes, takes no lock: beside a storage_server */
	uint64_t volume_size; /* see struct storage_settings */
	uint64_t preallocate;
	uint64_t reserved_space;
	int64_t punch_delay_ms;
	int64_t (*now)(void); /* Unix seconds; clock_unix, or a test's */
	/* For the engines "s3" and "rados", which have no store paths but M00. */
	const struct engine_s3_conf *s3;
	const struct engine_rados_conf *rados;
	const char *cold; /* of "volume": the engine behind it (tier.h), or NULL */
	const struct engine_journal
		*journal; /* of a shared engine that is not read_only; or NULL */
	/* Of a shared engine: names of elsewhere, which all storages of the group know; they
	 * must outlive it.  NULL: there are none.  Others have those of their first path. */
	struct aliases *aliases;
};

/* The journal of outcomes that are not known (pending.h), so that engine_sweep can make them
 * known. */
struct engine_journal {
	const char *path;        /* of the file, this storage's own */
	int64_t (*now_ms)(void); /* clock_mono_ms, or a test's */
	/* Told what was done about one of them (with ERR_NONE), or cannot be; any thread. */
	void (*tell)(void *context, const struct err *err);
	void *context;
};

/* Outcomes that are not known. */
struct engine_doubts {
	int64_t puts, removes;
};

/* Store `content` as a new picture.  The caller fills the upper part, keeps all of it
 * and the content in place, and finds the outcome in the lower part when `done` is
 * called: once, from any thread, possibly before engine_put returns.  err.code is
 * ERR_NONE only if the picture is on the disk and stays there. */
struct engine_put {
	struct span content;
	uint32_t crc;                  /* of content */
	char ext[FILE_ID_EXT_MAX + 1]; /* without the dot */
	uint8_t path;                  /* store path, or ENGINE_ANY_PATH */
	/* Store it under this very id again, which was made here or by a storage that called
	 * itself the same; NULL: under a new one.  ERR_EXISTS if its place is taken. */
	const struct file_id *wanted;
	void (*done)(struct engine_put *put);
	void *context; /* the caller's */
	/* A shared engine calls it with `id` before it sends anything that may store it, for
	 * each id that it draws; if it returns -1, with put->err, nothing is sent and that is
	 * the outcome.  It may wait for the disk.  NULL is fine; other engines pass it over. */
	int (*sending)(struct engine_put *put);

	struct file_id id;
	struct err err;

	struct engine_put *next; /* the engine's */
	int64_t deadline_ms;
};

/* Delete a picture, in the same manner.  ERR_NONE: it is gone for good, also after
 * a crash.  ERR_NOT_FOUND and ERR_GONE as they say. */
struct engine_remove {
	struct file_id id;
	void (*done)(struct engine_remove *remove);
	void *context;
	void (*sending)(
		struct engine_remove *remove); /* as that of a put, but it refuses nothing */

	struct err err;
	bool cold; /* of ERR_NONE and ERR_GONE: a cold store may have it still */

	struct engine_remove *next; /* the engine's */
	int64_t deadline_ms;
};

/* What a second, cold store has of a picture, as the engine before it remembers (tier.h). */
enum engine_cold {
	ENGINE_COLD_NONE,  /* nothing */
	ENGINE_COLD_COPY,  /* perhaps a copy; the bytes are here */
	ENGINE_COLD_ONLY,  /* the only bytes that count */
	ENGINE_COLD_EMPTY, /* and those that were here are erased */
};

/* Note where the bytes of a picture are, in the manner of put and remove; it is on the disk
 * when ERR_NONE is said.  ERR_GONE of what was deleted, but to ENGINE_COLD_NONE.
 *
 *     to NONE     from COPY; and of what was deleted
 *     to COPY     from NONE; with `back` from ONLY and EMPTY, where `content` is put in place
 *     to ONLY     from COPY; the bytes are erased after `punch_delay_ms`
 *
 * and nothing is changed by what is true already, or is more. */
struct engine_shift {
	struct file_id id;
	enum engine_cold to;
	bool back;
	struct span content; /* that of the id */
	void (*done)(struct engine_shift *shift);
	void *context;

	struct err err;
	enum engine_cold cold; /* what is noted now */

	struct engine_shift *next; /* the engine's */
};

/* Read a picture without waiting and without a thread: a first try, for who has a loop.  The
 * caller fills the upper part, and keeps it and the buffer in place until `done` is called:
 * once, from any thread, possibly before engine_read returns. */
struct engine_reading {
	struct file_id id;
	struct buf *out; /* whose limit must allow it */
	void (*done)(struct engine_reading *reading);
	void *context;

	/* ERR_NONE as of engine_get.  Else ERR_WOULD_BLOCK: nothing was appended, and engine_get
	 * is to be called, which takes the time to tell what is the matter. */
	struct err err;
};

struct engine_stat {
	uint64_t size;
	uint32_t crc;
	int64_t time; /* Unix seconds of the upload */
};

/* Where the bytes lie, for a web server on this machine that can send a slice. */
struct engine_place {
	char path[512];
	uint64_t offset;
	uint64_t len;
	uint8_t start[ENGINE_PLACE_START]; /* the first bytes, which tell the content's type */
	size_t start_len;                  /* all of them, unless the content is shorter */
};

struct engine_space {
	uint64_t total,
		free; /* bytes of the disks under the store paths; free without the reserve */
	uint64_t path_free[256]; /* the same by store path, path_count of them */
};

/* One thing that engine_walk found. */
struct engine_found {
	enum {
		ENGINE_FOUND_PICTURE,
		ENGINE_FOUND_DELETED, /* a tombstone */
		ENGINE_FOUND_CORRUPT, /* a record whose bytes do not match; err says how */
		ENGINE_FOUND_TORN,    /* an upload that a crash cut off; nobody has its id */
	} what;
	struct file_id id; /* all zero where damage has taken it */
	uint64_t offset;   /* in its volume, bytes */
	enum engine_cold cold;
	struct err err;
};

enum { ENGINE_NO_WAIT = 1 };       /* flag: ERR_WOULD_BLOCK rather than wait for a disk */
enum { ENGINE_CHECK_CONTENT = 1 }; /* flag of walk: read contents too, not just headers */

struct engine;
struct tier;

struct engine_ops {
	const char *name;
	bool shared; /* see engine_is_shared */
	struct engine *(*open)(const struct engine_conf *conf, struct err *err);
	void (*close)(struct engine *engine);
	void (*put)(struct engine *engine, struct engine_put *put);
	void (*remove)(struct engine *engine, struct engine_remove *remove);
	int (*get)(struct engine *engine, const struct file_id *id, unsigned flags, struct buf *out,
		struct err *err);
	int (*stat)(struct engine *engine, const struct file_id *id, unsigned flags,
		struct engine_stat *out, struct err *err);
	int (*place)(struct engine *engine, const struct file_id *id, unsigned flags,
		struct engine_place *out, struct err *err);
	int (*walk)(struct engine *engine, unsigned flags,
		bool (*found)(void *context, const struct engine_found *found), void *context,
		struct err *err);
	int (*space)(struct engine *engine, struct engine_space *out, struct err *err);
	int (*health)(struct engine *engine, struct err *err);
	struct aliases *(*aliases)(struct engine *engine);
	void (*shift)(struct engine *engine, struct engine_shift *shift);
	struct tier *(*tier)(struct engine *engine);
	int (*sweep)(struct engine *engine, struct engine_doubts *left, struct err *err);
	bool (*read)(struct engine *engine, struct engine_reading *reading);
};

struct engine { /* the first member of every engine's own struct */
	const struct engine_ops *ops;
};

/* Open an engine by name: "volume"; "s3"; "rados"; "file", a new file for each picture, a rival for
 * benchmarks; "faulty", which is "volume" with the faults that engine_faulty.h tells; NULL with err
 * if that fails.  Waits for everything that is under way in engine_close. */
struct engine *engine_open(const char *name, const struct engine_conf *conf, struct err *err);
void engine_close(struct engine *engine); /* NULL is fine */

void engine_put(struct engine *engine, struct engine_put *put);
void engine_remove(struct engine *engine, struct engine_remove *remove);

/* Append the whole picture to `out`, whose limit must allow it.  The bytes match the
 * id's size and CRC, or nothing is appended and err says ERR_CORRUPT. */
int engine_get(struct engine *engine, const struct file_id *id, unsigned flags, struct buf *out,
	struct err *err);

/* Begin to read.  False, and nothing happens, if the engine cannot do that, or not now. */
bool engine_read(struct engine *engine, struct engine_reading *reading);

/* The picture's header alone. */
int engine_stat(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err);

/* Check header and CRC, as engine_get does, and say where the bytes lie.
 * ERR_UNSUPPORTED where they lie in no file. */
int engine_place(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_place *out, struct err *err);

/* Call `found` for each record, in no order that callers may rely on, until it
 * returns false.  Pictures that come or go meanwhile may be left out. */
int engine_walk(struct engine *engine, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err);

int engine_space(struct engine *engine, struct engine_space *out, struct err *err);

/* Can it be used, as far as is known without trying?  Returns 0, or -1 with why not. */
int engine_health(struct engine *engine, struct err *err);

/* May any storage of the group serve, delete and describe all its pictures? */
bool engine_is_shared(const struct engine *engine);

/* The names that pictures had elsewhere (aliases.h); NULL if the engine keeps none. */
struct aliases *engine_aliases(struct engine *engine);

/* ERR_UNSUPPORTED where nothing is noted. */
void engine_shift(struct engine *engine, struct engine_shift *shift);

/* The two stores that it is made of (tier.h); NULL if it is one. */
struct tier *engine_tier(struct engine *engine);

/* Do what is due about outcomes that are not known: puts that nobody was told of are removed,
 * removes repeated, until that is confirmed.  To be called every second or so, by one thread.
 * `left` are those that remain; none, of an engine without a journal. */
int engine_sweep(struct engine *engine, struct engine_doubts *left, struct err *err);

/* Waiting forms, for tools and tests. */
int engine_shift_wait(struct engine *engine, struct engine_shift *shift);
int engine_put_wait(struct engine *engine, struct engine_put *put);
int engine_remove_wait(struct engine *engine, const struct file_id *id, struct err *err);
