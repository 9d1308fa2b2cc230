/* import_sources.h - where an import gets things from: each kind of source hands items to
 * a crew, one by one, and counts what there will be where that can be known. */
#pragma once

#include "programs/picstore/crew.h"
#include "programs/picstore/importer.h"

struct import_feed {
	struct crew *crew; /* of importer_work */
	struct move_report *report;
	bool metadata; /* was handed over last */
};

/* Ids: the first word of each line of the files, "-" or none: of stdin. */
int import_feed_ids(struct import_feed *feed, char *const *files, size_t count, struct err *err);

/* Every file in the data folders, and what the binlogs in `binlog` (NULL: data/sync of the
 * first store path) say was made and not deleted. */
int import_feed_fastdfs(struct import_feed *feed, const struct fdfs_folder *folder,
	const char *binlog, struct err *err);

/* The files in folders, as picstore put finds them. */
int import_feed_files(struct import_feed *feed, char *const *paths, size_t count, struct err *err);

/* What picstore export wrote to the folder `path`, or "-": a stream from stdin. */
int import_feed_export(struct import_feed *feed, const char *path, struct err *err);
