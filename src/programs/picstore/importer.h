/* importer.h - one thing to import after the other: read, checked, stored, answered for.
 *
 * A thing with an id is looked for in the target first, so that an import can be run again
 * at any time: what is there already, under its old name, is done. */
#pragma once

#include "fdfs/client.h"
#include "moving/fdfs_folder.h"
#include "moving/import_journal.h"
#include "moving/manifest.h"
#include "programs/picstore/move_report.h"

struct importer {
	struct fdfs_client *target;
	struct fdfs_client *source;       /* of ids: where they are fetched */
	const struct fdfs_folder *folder; /* of ids: where they lie; NULL: `source` */
	struct import_journal *journal;   /* of files */
	const char *group;                /* of files; NULL: the tracker decides */
	bool any;                         /* files need not be pictures */
	struct move_report *report;
};

struct import_item {
	enum {
		IMPORT_ID,     /* names[0], from the source */
		IMPORT_FILE,   /* the file `path`, which has no id */
		IMPORT_EXPORT, /* names, from the file `path` or, without it, `bytes` */
	} kind;
	char *path;
	struct buf bytes;
	struct manifest_file *file; /* of an export: what it is */
	struct file_id names[MANIFEST_NAMES_MAX + 1];
	size_t name_count;
	bool sure; /* that it is not there is a failure: it was not deleted */
};

struct import_item *import_item_new(void);

/* Import it, report it, and free it.  `context` is an importer.  Any thread. */
void importer_work(void *context, void *item);
