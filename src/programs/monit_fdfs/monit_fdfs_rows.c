/* monit_fdfs_rows.c - what a tracker tells of a storage, as a row of figures. */
#include "programs/monit_fdfs/monit_fdfs.h"

#include "fdfs/proto.h"

#include <inttypes.h>
#include <stdio.h>

enum { PERCENT = 100, MIB = 1 << 20, TEXT = 80 };

static const struct report_column tracker_columns[] = {
	{ "tracker", "TRACKER", REPORT_LABEL, "" },
	{ "state", "STATE", REPORT_TEXT, "" },
	{ "tracker_latency", "LATENCY", REPORT_MS, "time that a tracker takes to answer" },
};

const struct report_kind monit_fdfs_tracker = { "tracker", tracker_columns,
	sizeof tracker_columns / sizeof tracker_columns[0] };

static const struct report_column storage_columns[] = {
	{ "host", "HOST", REPORT_LABEL, "" },
	{ "group", "GROUP", REPORT_LABEL, "" },
	{ "storage", "STORAGE", REPORT_LABEL, "" },
	{ "address", "ADDRESS", REPORT_TEXT, "" },
	{ "state", "STATE", REPORT_TEXT, "" },
	{ "active", "ACTIVE", REPORT_NUMBER, "1 if its tracker has it as active, else 0" },
	{ "version", "VERSION", REPORT_TEXT, "" },
	{ "free", "FREE", REPORT_PERCENT, "room on its disks" },
	{ "free_bytes", "ROOM", REPORT_BYTES, "room on its disks" },
	{ "lag", "LAG", REPORT_SECONDS,
		"time that it is behind what its group's other storages took in" },
	{ "beat", "BEAT", REPORT_SECONDS, "time since it last reported to its tracker" },
	{ "latency", "LATENCY", REPORT_MS, "time that it takes to answer" },
	{ "connections", "CONNECTIONS", REPORT_NUMBER, "connections open" },
	{ "uploads", "UPLOADS", REPORT_COUNTER, "files stored" },
	{ "downloads", "DOWNLOADS", REPORT_COUNTER, "files read" },
	{ "deletes", "DELETES", REPORT_COUNTER, "files deleted" },
};

const struct report_kind monit_fdfs_storage = { "storage", storage_columns,
	sizeof storage_columns / sizeof storage_columns[0] };

const char *monit_fdfs_state_word(uint8_t state)
{
	static const char *const words[] = { "init", "waits to sync", "syncing", "address changed",
		"deleted", "offline", "online", "active" };

	return state < sizeof words / sizeof words[0] ? words[state] : "unknown";
}

/* On its way to active is a warning, everything else but active is critical. */
enum report_state monit_fdfs_state_of(uint8_t state)
{
	switch (state) {
	case FDFS_STATE_ACTIVE:
		return REPORT_OK;
	case FDFS_STATE_INIT:
	case 1: /* waits to sync */
	case 2: /* syncing */
	case FDFS_STATE_ONLINE:
		return REPORT_WARNING;
	default:
		return REPORT_CRITICAL;
	}
}

int64_t monit_fdfs_lag(const struct fdfs_storage *storages, size_t count, size_t which)
{
	const struct fdfs_storage *one = &storages[which];
	int64_t newest = 0;

	for (size_t i = 0; i < count; i++)
		if (i != which && storages[i].last_source_update > newest)
			newest = storages[i].last_source_update;
	if (newest == 0 || one->last_synced == 0)
		return -1;
	return newest > one->last_synced ? newest - one->last_synced : 0;
}

void monit_fdfs_put(struct report *report, const char *host, const struct fdfs_storage *storages,
	size_t count, size_t which, int64_t now)
{
	const struct fdfs_storage *one = &storages[which];
	struct report_row *row = report_add(report, &monit_fdfs_storage);
	enum report_state state = monit_fdfs_state_of(one->state);
	int64_t lag = monit_fdfs_lag(storages, count, which);
	char address[TEXT];

	snprintf(address, sizeof address, "%s:%" PRIu16, one->ip, one->port);
	report_put_text(row, "host", host);
	report_put_text(row, "group", one->group);
	report_put_text(row, "storage", one->id);
	report_put_text(row, "address", address);
	report_put_text(row, "state", monit_fdfs_state_word(one->state));
	report_put(row, "active", one->state == FDFS_STATE_ACTIVE);
	report_put_text(row, "version", one->version);
	if (one->total_mib > 0) {
		report_put(row, "free", (double)one->free_mib / (double)one->total_mib * PERCENT);
		report_put(row, "free_bytes", (double)one->free_mib * MIB);
	}
	if (lag >= 0)
		report_put(row, "lag", (double)lag);
	if (one->last_beat > 0)
		report_put(row, "beat", now > one->last_beat ? (double)(now - one->last_beat) : 0);
	report_put(row, "connections", one->connections);
	report_put(row, "uploads", (double)one->uploads);
	report_put(row, "downloads", (double)one->downloads);
	report_put(row, "deletes", (double)one->deletes);
	if (state != REPORT_OK)
		report_problem(report, state, "storage %s of group %s on %s is %s", one->id,
			one->group, host, monit_fdfs_state_word(one->state));
}
