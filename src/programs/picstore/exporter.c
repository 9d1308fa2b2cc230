#include "programs/picstore/exporter.h"

#include "auth/digest.h"
#include "core/clock.h"
#include "core/crc32.h"
#include "photo/local_names.h"
#include "photo/local_store.h"
#include "programs/picstore/files.h"
#include "store/aliases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096, BYTES_MAX = 1 << 30 };

int exporter_open(struct exporter *exporter, const struct settings *settings,
	const struct storage_settings *storage, struct err *err)
{
	exporter->path_count = 0;
	exporter->engine = local_store_open(settings, storage, err);
	if (exporter->engine == NULL)
		return -1;
	exporter->aliases = local_aliases_open(storage);
	for (size_t i = 0; i < local_names_count(storage); i++) {
		exporter->names[i] = local_names_open(storage, i, true, err);
		if (exporter->names[i] == NULL)
			return -1;
		exporter->path_count++;
	}
	return 0;
}

void exporter_close(struct exporter *exporter)
{
	for (size_t i = 0; i < exporter->path_count; i++)
		names_close(exporter->names[i]);
	exporter->path_count = 0;
	engine_close(exporter->engine);
	exporter->engine = NULL;
	aliases_close(exporter->aliases);
	exporter->aliases = NULL;
}

void exporter_push(struct crew *crew, enum manifest_kind kind, const struct file_id *id)
{
	struct export_item *item = malloc(sizeof *item);

	if (item == NULL)
		abort();
	*item = (struct export_item){ kind, *id };
	crew_push(crew, item);
}

/* ---- what is to be known of a file besides its bytes ---- */

static void add_name(void *context, const char *name)
{
	struct manifest_file *file = context;

	if (file->name_count < MANIFEST_NAMES_MAX &&
		file_id_parse_name(
			span_str(file->id.group), span_str(name), &file->names[file->name_count]))
		file->name_count++;
}

/* The names.db that has `id`, or would have it; NULL if there is none. */
static struct names *names_of(const struct exporter *exporter, const struct file_id *id)
{
	return names_have(id) && id->path < exporter->path_count ? exporter->names[id->path] : NULL;
}

/* Whose slave `id` is: 1, 0 if it is none that is here, -1 with err. */
static int find_master(const struct exporter *exporter, const struct file_id *id,
	struct file_id *master, struct err *err)
{
	struct names *names = names_of(exporter, id);
	char name[FILE_ID_NAME_MAX + 1];

	if (names == NULL)
		return 0;
	if (names_master(names, id->name, name, err) != 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (*name == '\0')
		return 0;
	if (!file_id_parse_name(span_str(id->group), span_str(name), master))
		return err_set(
			err, ERR_CORRUPT, "names.db has '%s' as the master of %s", name, id->name);
	return 1;
}

/* Its master, and if that is a slave too the first one: names get longer and longer on the
 * way from there, so there is an end. */
static int add_masters(const struct exporter *exporter, struct manifest_file *file, struct err *err)
{
	struct file_id first, before;
	int found = find_master(exporter, &file->id, &first, err);

	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", file->id.name);
	if (found < 0)
		return -1;
	file->names[file->name_count++] = first;
	for (int i = 0; i < FILE_ID_NAME_MAX; i++) {
		found = find_master(exporter, &first, &before, err);
		if (found < 0)
			return -1;
		if (found == 0)
			break;
		first = before;
	}
	if (!file_id_equal(&first, &file->names[0]))
		file->names[file->name_count++] = first;
	return 0;
}

static int describe(const struct exporter *exporter, struct manifest_file *file, struct err *err)
{
	struct aliases *aliases = exporter->aliases != NULL ? exporter->aliases
							    : engine_aliases(exporter->engine);
	struct names_stat stat;

	switch (file->kind) {
	case MANIFEST_PICTURE:
		/* There are engines that keep none. */
		return aliases == NULL ? 0
				       : aliases_of(aliases, file->id.name, add_name, file, err);
	case MANIFEST_METADATA:
		return 0;
	default:
		break;
	}
	if (names_stat(exporter->names[file->id.path], file->id.name, &stat, err) != 0)
		return -1;
	file->changed = stat.changed;
	return file->kind == MANIFEST_SLAVE ? add_masters(exporter, file, err) : 0;
}

/* ---- its bytes ---- */

static bool path_of(
	const struct exporter *exporter, const struct manifest_file *file, char out[PATH_LEN])
{
	char relative[MANIFEST_PATH_MAX];

	manifest_path(file, relative);
	return snprintf(out, PATH_LEN, "%s/%s", exporter->folder, relative) < PATH_LEN;
}

/* The folders above a file below `base`. */
static int make_folders(char *path, size_t base, struct err *err)
{
	for (char *slash = strchr(path + base, '/'); slash != NULL;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			return err_errno(err, "%s: cannot be made", path);
		*slash = '/';
	}
	return 0;
}

/* Metadata whose file is gone is what a deletion that was cut off has left. */
static int check_has_file(
	const struct exporter *exporter, const struct file_id *id, struct err *err)
{
	struct names *names = names_of(exporter, id);
	struct engine_stat stat;
	struct names_stat in_names;

	if (names != NULL && names_stat(names, id->name, &in_names, err) == 0)
		return 0;
	return engine_stat(exporter->engine, id, 0, &stat, err);
}

static int read_one(const struct exporter *exporter, const struct manifest_file *file,
	struct buf *bytes, struct err *err)
{
	const struct file_id *id = &file->id;

	if (file->kind == MANIFEST_PICTURE)
		return engine_get(exporter->engine, id, 0, bytes, err);
	if (file->kind != MANIFEST_METADATA)
		return names_read(exporter->names[id->path], id->name, 0, UINT64_MAX, bytes, err);
	if (check_has_file(exporter, id, err) != 0)
		return -1;
	return names_metadata(exporter->names[id->path], id->name, bytes, err);
}

static void measure(struct manifest_file *file, struct span bytes)
{
	file->size = bytes.len;
	file->crc = crc32_add(0, bytes);
	digest(bytes, file->sha);
}

static bool tells_its_bytes(enum manifest_kind kind)
{
	return kind == MANIFEST_PICTURE || kind == MANIFEST_FINISHED;
}

/* True if the file is there, whole and right, as its id says: then it need not be read from
 * the store. */
static bool is_there(const char *path, const struct file_id *id, struct buf *bytes)
{
	struct err ignored;

	if (access(path, F_OK) == 0 && files_read(path, bytes, &ignored) == 0 &&
		bytes->len == id->size && crc32_add(0, buf_span(bytes)) == id->crc)
		return true;
	buf_clear(bytes);
	return false;
}

/* True if these bytes are there. */
static bool is_the_same(const char *path, struct span bytes)
{
	struct err ignored;
	struct buf there;
	bool same;

	if (access(path, F_OK) != 0)
		return false;
	buf_init(&there, bytes.len + 1);
	same = files_read(path, &there, &ignored) == 0 && span_equal(buf_span(&there), bytes);
	buf_fini(&there);
	return same;
}

static int too_long(struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "the folder's path is too long");
}

static int put_file(const struct exporter *exporter, const struct manifest_file *file,
	struct span bytes, bool *already, struct err *err)
{
	char path[PATH_LEN];

	if (exporter->folder == NULL)
		return 0;
	if (!path_of(exporter, file, path))
		return too_long(err);
	*already = !tells_its_bytes(file->kind) && is_the_same(path, bytes);
	if (*already)
		return 0;
	return make_folders(path, strlen(exporter->folder) + 1, err) != 0
		       ? -1
		       : files_write(path, bytes, true, err);
}

/* ---- the manifest ---- */

static int put_line(struct exporter *exporter, const struct manifest_file *file, struct span bytes,
	struct err *err)
{
	struct buf line;
	bool ok;

	buf_init(&line, MANIFEST_LINE_MAX);
	manifest_put_file(&line, file);
	pthread_mutex_lock(&exporter->lock);
	ok = buf_ok(&line) && fwrite(line.data, 1, line.len, exporter->manifest) == line.len;
	if (ok && exporter->folder == NULL)
		ok = fwrite(bytes.data, 1, bytes.len, exporter->manifest) == bytes.len &&
		     putc('\n', exporter->manifest) != EOF;
	exporter->files += ok;
	exporter->bytes += ok ? bytes.len : 0;
	exporter->broken = exporter->broken || !ok;
	pthread_mutex_unlock(&exporter->lock);
	buf_fini(&line);
	return ok ? 0 : err_errno(err, "the manifest cannot be written");
}

static int export_one(struct exporter *exporter, struct manifest_file *file, struct buf *bytes,
	bool *already, struct err *err)
{
	char path[PATH_LEN];

	*already = false;
	if (exporter->folder != NULL && tells_its_bytes(file->kind)) {
		if (!path_of(exporter, file, path))
			return too_long(err);
		*already = is_there(path, &file->id, bytes);
	}
	if (!*already && read_one(exporter, file, bytes, err) != 0)
		return -1;
	measure(file, buf_span(bytes));
	if (!*already && put_file(exporter, file, buf_span(bytes), already, err) != 0)
		return -1;
	if (describe(exporter, file, err) != 0)
		return -1;
	return put_line(exporter, file, buf_span(bytes), err);
}

void exporter_work(void *context, void *pointer)
{
	struct exporter *exporter = context;
	struct export_item *item = pointer;
	struct manifest_file *file = calloc(1, sizeof *file);
	char text[FILE_ID_TEXT_MAX + 1];
	struct err err = { 0 };
	struct buf bytes;
	bool already, gone;

	if (file == NULL)
		abort();
	file->kind = item->kind;
	file->id = item->id;
	buf_init(&bytes, BYTES_MAX);
	file_id_format(&file->id, text);
	if (export_one(exporter, file, &bytes, &already, &err) == 0) {
		move_report_add(exporter->report, text, already ? MOVE_ALREADY : MOVE_DONE,
			bytes.len, NULL, NULL);
	} else {
		/* Since it was met in a list; pictures are not lost without a trace. */
		gone = err.code == ERR_GONE ||
		       (file->kind != MANIFEST_PICTURE && err.code == ERR_NOT_FOUND);
		move_report_add(
			exporter->report, text, gone ? MOVE_DELETED : MOVE_FAILED, 0, NULL, &err);
	}
	buf_fini(&bytes);
	free(file);
	free(item);
}
