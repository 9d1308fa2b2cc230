/* exporter.h - one thing to export after the other: read, checked, written, and noted in the
 * manifest.
 *
 * What an earlier export has written to the same folder is not written again.  Nothing that
 * an earlier manifest is about is ever changed. */
#pragma once

#include "moving/manifest.h"
#include "programs/picstore/crew.h"
#include "programs/picstore/move_report.h"
#include "service/settings.h"
#include "store/engine.h"
#include "store/names.h"

#include <pthread.h>
#include <stdio.h>

struct exporter {
	const char *folder; /* NULL: a stream on stdout */
	FILE *manifest;
	pthread_mutex_t lock; /* of the manifest, and of the stream */
	uint64_t files, bytes;
	struct engine *engine;                /* of the storage that is walked */
	struct names *names[ENGINE_ANY_PATH]; /* of its store paths */
	size_t path_count;
	struct aliases *aliases; /* of a shared group; else the engine has them */
	struct move_report *report;
	bool broken; /* the manifest cannot be written */
};

struct export_item {
	enum manifest_kind kind;
	struct file_id id;
};

/* Open what the storage has; exporter_close also after a failure. */
int exporter_open(struct exporter *exporter, const struct settings *settings,
	const struct storage_settings *storage, struct err *err);
void exporter_close(struct exporter *exporter);

/* Hand a copy over to a crew of exporter_work. */
void exporter_push(struct crew *crew, enum manifest_kind kind, const struct file_id *id);

/* Export it, report it, and free it.  `context` is an exporter.  Any thread. */
void exporter_work(void *context, void *item);
