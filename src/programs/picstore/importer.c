#include "programs/picstore/importer.h"

#include "auth/digest.h"
#include "core/crc32.h"
#include "fdfs/client_names.h"
#include "image/picture.h"
#include "programs/picstore/cli.h"
#include "programs/picstore/files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 1 << 30, METADATA_MAX = 1 << 20 };

struct import_item *import_item_new(void)
{
	struct import_item *item = calloc(1, sizeof *item);

	if (item == NULL)
		abort();
	buf_init(&item->bytes, BYTES_MAX);
	return item;
}

static void item_free(struct import_item *item)
{
	buf_fini(&item->bytes);
	free(item->path);
	free(item->file);
	free(item);
}

/* What it is called in reports. */
static void name_of(const struct import_item *item, char out[4096])
{
	if (item->name_count > 0)
		file_id_format(&item->names[0], out);
	else
		snprintf(out, 4096, "%s", item->path);
}

/* ---- reading ---- */

static int check_export(const struct import_item *item, struct err *err)
{
	const struct manifest_file *file = item->file;
	struct span bytes = buf_span(&item->bytes);
	uint8_t sha[DIGEST_LEN];

	digest(bytes, sha);
	if (bytes.len != file->size || crc32_add(0, bytes) != file->crc ||
		memcmp(sha, file->sha, sizeof sha) != 0)
		return err_set(err, ERR_CORRUPT, "its bytes are not those that were exported");
	return 0;
}

static int read_item(struct importer *importer, struct import_item *item, struct err *err)
{
	switch (item->kind) {
	case IMPORT_FILE:
		return files_read(item->path, &item->bytes, err);
	case IMPORT_EXPORT:
		if (item->path != NULL && files_read(item->path, &item->bytes, err) != 0)
			return -1;
		return check_export(item, err);
	case IMPORT_ID:
		break;
	}
	if (importer->folder != NULL)
		return fdfs_folder_read(importer->folder, &item->names[0], &item->bytes, err);
	return fdfs_download(importer->source, &item->names[0], &item->bytes, err);
}

/* FastDFS metadata, which is small and may be sent twice: also of a file that is there, so
 * that an import which was cut off between the two is mended. */
static int take_metadata(struct importer *importer, const struct file_id *id, struct err *err)
{
	struct buf text;
	int result = 0;

	buf_init(&text, METADATA_MAX);
	if (importer->folder != NULL)
		result = fdfs_folder_metadata(importer->folder, id, &text, err);
	else if (fdfs_get_metadata(importer->source, id, &text, err) != 0)
		result = err->code == ERR_NOT_FOUND ? 0 : -1;
	if (result == 0 && text.len > 0)
		result = fdfs_set_metadata(importer->target, id, false, buf_span(&text), err);
	buf_fini(&text);
	return result == 0 ? 0 : err_prefix(err, "its metadata");
}

/* ---- ids ---- */

/* Is it in the target under all its names?  1, 0, or -1 with err. */
static int is_there(struct importer *importer, const struct import_item *item, struct err *err)
{
	struct fdfs_info info;

	for (size_t i = 0; i < item->name_count; i++) {
		if (fdfs_stat(importer->target, &item->names[i], &info, err) == 0)
			continue;
		if (err->code != ERR_NOT_FOUND)
			return -1;
		/* The whole group may be missing, which is not the picture's fault. */
		return 0;
	}
	return 1;
}

/* Of an export. */
static enum move_outcome import_metadata(
	struct importer *importer, struct import_item *item, struct file_id *id, struct err *err)
{
	*id = item->names[0];
	if (read_item(importer, item, err) == 0 &&
		fdfs_set_metadata(importer->target, id, false, buf_span(&item->bytes), err) == 0)
		return MOVE_DONE;
	err_prefix(err, "its metadata");
	return err->code == ERR_GONE ? MOVE_DELETED : MOVE_FAILED;
}

/* A slave or appender file is to be what it was; a picture otherwise.  Of a FastDFS's slave
 * nobody tells the master. */
static bool describe(const struct import_item *item, struct fdfs_file_back *back)
{
	static const enum fdfs_restored kinds[] = {
		[MANIFEST_SLAVE] = FDFS_RESTORED_SLAVE,
		[MANIFEST_APPENDER] = FDFS_RESTORED_APPENDER,
		[MANIFEST_FINISHED] = FDFS_RESTORED_FINISHED,
	};
	const struct manifest_file *file = item->file;

	*back = (struct fdfs_file_back){ .id = item->names[0] };
	if (file == NULL) {
		back->what = FDFS_RESTORED_APPENDER;
		return back->id.kind == FILE_ID_APPENDER;
	}
	if (file->kind == MANIFEST_PICTURE)
		return false;
	back->what = kinds[file->kind];
	back->changed = file->changed;
	if (file->name_count > 0)
		back->master = file->names[0];
	if (file->name_count > 1)
		back->first = file->names[1];
	return true;
}

/* Where there is no store path of that name, it becomes a picture that has the name. */
static int store(
	struct importer *importer, struct import_item *item, struct file_id *id, struct err *err)
{
	struct span bytes = buf_span(&item->bytes);
	struct fdfs_file_back back;

	*id = item->names[0];
	if (describe(item, &back)) {
		if (fdfs_restore(importer->target, &back, bytes, err) == 0)
			return 0;
		if (err->code != ERR_UNSUPPORTED)
			return -1;
	}
	return fdfs_adopt(importer->target, item->names, item->name_count, item->file != NULL,
		bytes, item->names[0].ext, id, err);
}

static enum move_outcome import_ids(
	struct importer *importer, struct import_item *item, struct file_id *id, struct err *err)
{
	bool exported = item->kind == IMPORT_EXPORT;

	if (exported && item->file->kind == MANIFEST_METADATA)
		return import_metadata(importer, item, id, err);
	switch (is_there(importer, item, err)) {
	case 1:
		return MOVE_ALREADY;
	case 0:
		break;
	default:
		return err->code == ERR_GONE ? MOVE_DELETED : MOVE_FAILED;
	}
	if (read_item(importer, item, err) != 0)
		return err->code == ERR_GONE || (err->code == ERR_NOT_FOUND && !item->sure)
			       ? MOVE_DELETED
			       : MOVE_FAILED;
	if (store(importer, item, id, err) == 0)
		return !exported && take_metadata(importer, &item->names[0], err) != 0 ? MOVE_FAILED
										       : MOVE_DONE;
	return err->code == ERR_GONE ? MOVE_DELETED : MOVE_FAILED;
}

/* ---- files ---- */

static enum move_outcome import_file(
	struct importer *importer, struct import_item *item, struct file_id *id, struct err *err)
{
	char known[FILE_ID_TEXT_MAX + 1], ext[FILE_ID_EXT_MAX + 1], text[FILE_ID_TEXT_MAX + 1];
	int found = import_journal_find(importer->journal, item->path, known, err);
	enum picture_format format;

	if (found != 0)
		return found == 1 ? MOVE_ALREADY : MOVE_FAILED;
	if (read_item(importer, item, err) != 0)
		return MOVE_FAILED;
	format = picture_sniff(buf_span(&item->bytes));
	if (format == PICTURE_NONE && !importer->any) {
		err_set(err, ERR_NOT_A_PICTURE, "is not a picture");
		return MOVE_PASSED;
	}
	/* What it is says its content, not its name. */
	if (format != PICTURE_NONE)
		snprintf(ext, sizeof ext, "%s", picture_extension(format));
	else
		files_ext(item->path, ext);
	if (fdfs_upload(importer->target, importer->group, buf_span(&item->bytes), ext, id, err) !=
		0)
		return MOVE_FAILED;
	file_id_format(id, text);
	if (import_journal_note(importer->journal, item->path, text, err) == 0)
		return MOVE_DONE;
	err_prefix(err, "it is stored as %s, but not in the journal", text);
	return MOVE_FAILED;
}

void importer_work(void *context, void *pointer)
{
	struct importer *importer = context;
	struct import_item *item = pointer;
	char what[4096], text[FILE_ID_TEXT_MAX + 1];
	struct file_id id = { 0 };
	struct err err = { 0 };
	enum move_outcome outcome;
	bool done;

	name_of(item, what);
	outcome = item->kind == IMPORT_FILE ? import_file(importer, item, &id, &err)
					    : import_ids(importer, item, &id, &err);
	done = outcome == MOVE_DONE;
	if (done)
		file_id_format(&id, text);
	move_report_add(importer->report, what, outcome, done ? item->bytes.len : 0,
		done ? text : NULL, &err);
	item_free(item);
}
