/* sim_disk.h - a disk in memory that remembers what was done to it, and loses power.
 *
 * sim_ops is a table of disk.h over the disk that sim_use() has named; its paths begin
 * with "/".  Everything that changes the disk becomes an event.  From the events before
 * a power cut a new disk can be made: it has what was flushed, and of what was not any
 * part that a real disk could have kept:
 *
 *     contents   of each sector of 512 bytes any of the versions that it had since its
 *                file was flushed, whatever its neighbours have
 *     sizes, truncations, holes   of each file, those up to any of them
 *     names      of each folder, those up to any change since it was flushed; or else
 *                any of them, in any combination, a rename as a whole or not
 *
 * A flush that fails on purpose (sim_fail_flush) is the cruel one: what it was to flush
 * may be on the disk or not, and no later flush brings it there, unless the sector is
 * written anew. */
#pragma once

#include "core/disk.h"

#include <stdbool.h>

enum { SIM_SECTOR = 512 };

struct sim;

extern const struct disk_ops sim_ops;

struct sim *sim_new(void); /* an empty root folder */
void sim_free(struct sim *sim);

/* The disk that sim_ops works on from now on; descriptors of the one before are void.
 * Sets `disk` too. */
void sim_use(struct sim *sim);

/* Note that something was promised, from any thread. */
void sim_mark(unsigned what);

size_t sim_event_count(const struct sim *sim);

/* Is event `at` a mark?  Then `*what` is it. */
bool sim_event_mark(const struct sim *sim, size_t at, unsigned *what);

/* Forget the events; what they did is on the disk for good. */
void sim_settle(struct sim *sim);

/* One by one through the power cuts of a record. */
struct sim_replay;

struct sim_replay *sim_replay_new(const struct sim *sim);
void sim_replay_free(struct sim_replay *replay);

/* Go on to the power cut before event `until`, which is not before the last one. */
void sim_replay_to(struct sim_replay *replay, size_t until);

/* How many events are not flushed there. */
size_t sim_replay_pending(const struct sim_replay *replay);

/* The disk after it, one of the many that are possible: `seed` says which. */
struct sim *sim_replay_crash(const struct sim_replay *replay, uint64_t seed);

/* All names and contents, in 64 bits. */
uint64_t sim_hash(const struct sim *sim);

/* The next flush fails with EIO, as above; to be called from within the table's fsync or
 * fdatasync.  Returns -1. */
int sim_fail_flush(int fd);

/* Hold the next fdatasync back, until sim_gate_open: what is asked for meanwhile is the
 * next batch.  sim_gate_wait returns when it has come, or when the gate was opened. */
void sim_gate_shut(void);
void sim_gate_wait(void);
void sim_gate_open(void);
