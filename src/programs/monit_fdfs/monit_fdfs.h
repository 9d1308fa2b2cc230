/* monit_fdfs.h - the state of the storages of hosts, asked of trackers and storages. */
#pragma once

#include "fdfs/client.h"
#include "monitor/report.h"

extern const struct report_kind monit_fdfs_tracker, monit_fdfs_storage;

/* The word for a storage's state, "active", and how bad it is. */
const char *monit_fdfs_state_word(uint8_t state);
enum report_state monit_fdfs_state_of(uint8_t state);

/* By how many seconds storage `which` of a group is behind what the others took in;
 * negative where there is nothing to be behind of. */
int64_t monit_fdfs_lag(const struct fdfs_storage *storages, size_t count, size_t which);

/* Fill the row of storage `which`, as its tracker told of it at the time `now`, and note
 * what is wrong with its state. */
void monit_fdfs_put(struct report *report, const char *host, const struct fdfs_storage *storages,
	size_t count, size_t which, int64_t now);

int monit_fdfs_main(int argc, char **argv);
