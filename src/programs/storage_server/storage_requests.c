#include "programs/storage_server/storage_requests.h"

#include "core/crc32.h"
#include "fdfs/metadata_text.h"

#include <inttypes.h>
#include <string.h>

enum { DRAIN_TIMES = 4 }; /* bodies up to so many times max_file_size are read to be thrown away */

/* What stands before the content, at most; 0 for commands without content. */
static uint64_t head_max(uint8_t cmd)
{
	switch (cmd) {
	case FDFS_UPLOAD:
	case FDFS_UPLOAD_APPENDER:
		return FDFS_UPLOAD_HEAD_LEN;
	case FDFS_ADOPT:
		return FDFS_ADOPT_HEAD_MAX;
	case FDFS_RESTORE:
		return FDFS_RESTORE_HEAD_MAX;
	case FDFS_UPLOAD_SLAVE:
		return 8 + 8 + FDFS_PREFIX_WIDTH + FDFS_EXT_WIDTH + FILE_ID_NAME_MAX;
	case FDFS_APPEND:
		return 8 + 8 + FILE_ID_NAME_MAX;
	case FDFS_MODIFY:
		return 8 + 8 + 8 + FILE_ID_NAME_MAX;
	default:
		return 0;
	}
}

static uint64_t body_max(const struct storage_limits *limits, uint8_t cmd)
{
	if (head_max(cmd) > 0)
		return limits->max_file_size + head_max(cmd);
	return cmd == FDFS_SET_METADATA ? STORAGE_METADATA_BODY_MAX : STORAGE_PLAIN_BODY_MAX;
}

enum storage_intake storage_intake(
	const struct storage_limits *limits, const struct fdfs_header *header)
{
	uint64_t len = (uint64_t)header->len;

	if (header->cmd == FDFS_QUIT || header->len < 0)
		return STORAGE_HANG_UP;
	if (len <= body_max(limits, header->cmd))
		return STORAGE_COLLECT;
	return len <= limits->max_file_size * DRAIN_TIMES ? STORAGE_DRAIN : STORAGE_LEAVE;
}

int storage_refuse(
	const struct storage_limits *limits, const struct fdfs_header *header, struct err *err)
{
	if (head_max(header->cmd) > 0)
		return err_set(err, ERR_TOO_LARGE,
			"a request of %" PRId64 " bytes is over max_file_size, %" PRIu64,
			header->len, limits->max_file_size);
	return err_set(err, ERR_BAD_REQUEST, "command %u does not have a body of %" PRId64 " bytes",
		header->cmd, header->len);
}

int storage_read_upload(const struct storage_limits *limits, struct span body,
	struct fdfs_upload_request *request, struct err *err)
{
	if (!fdfs_get_upload_request(body, request))
		return err_set(err, ERR_BAD_REQUEST,
			"the size in an upload is not that of its %zu bytes", body.len);
	if (request->path != FDFS_ANY_PATH && request->path >= limits->path_count)
		return err_set(err, ERR_BAD_REQUEST, "there is no store path M%02X", request->path);
	if (!file_id_ext_ok(span_str(request->ext)))
		return err_set(
			err, ERR_BAD_REQUEST, "'%s' is not an extension for a name", request->ext);
	return 0;
}

static int check_name(const struct storage_limits *limits, const char *group, struct span name,
	struct file_id *id, struct err *err)
{
	if (strcmp(group, limits->group) != 0)
		return err_set(err, ERR_BAD_REQUEST, "group '%s' is not here, this is %s", group,
			limits->group);
	if (!file_id_parse_name(span_str(group), name, id))
		return err_set(err, ERR_BAD_ID, "'%.*s' is not the name of a file", (int)name.len,
			(const char *)name.data);
	if (id->path >= limits->path_count)
		return err_set(err, ERR_BAD_ID, "there is no store path M%02X", id->path);
	return 0;
}

static int check_file(const struct storage_limits *limits, const struct fdfs_file_request *file,
	struct file_id *id, struct err *err)
{
	return check_name(limits, file->group, file->name, id, err);
}

static int bad_body(struct span body, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST,
		"a body of %zu bytes cannot be what this command needs", body.len);
}

int storage_read_file(
	const struct storage_limits *limits, struct span body, struct file_id *id, struct err *err)
{
	struct fdfs_file_request file;

	if (!fdfs_get_file_request(body, &file))
		return bad_body(body, err);
	return check_file(limits, &file, id, err);
}

int storage_read_slave(const struct storage_limits *limits, struct span body,
	struct fdfs_slave_request *request, struct file_id *master, struct file_id *slave,
	struct err *err)
{
	if (!fdfs_get_slave_request(body, request))
		return bad_body(body, err);
	if (check_name(limits, limits->group, request->master, master, err) != 0)
		return -1;
	if (!file_id_slave(master, request->prefix, request->ext, slave))
		return err_set(err, ERR_BAD_REQUEST,
			"prefix '%s' and extension '%s' do not name a slave of %s", request->prefix,
			request->ext, master->name);
	return 0;
}

int storage_read_change(const struct storage_limits *limits, uint8_t cmd, struct span body,
	struct fdfs_change_request *request, struct file_id *id, struct err *err)
{
	if (!fdfs_get_change_request(cmd, body, request))
		return bad_body(body, err);
	if (check_name(limits, limits->group, request->name, id, err) != 0)
		return -1;
	if (request->offset < 0)
		return err_set(
			err, ERR_BAD_REQUEST, "%s has no byte %" PRId64, id->name, request->offset);
	return 0;
}

int storage_read_metadata(const struct storage_limits *limits, struct span body,
	struct fdfs_metadata_request *request, struct file_id *id, struct err *err)
{
	if (!fdfs_get_metadata_request(body, request))
		return bad_body(body, err);
	if (request->flag != METADATA_REPLACE && request->flag != METADATA_MERGE)
		return err_set(err, ERR_BAD_REQUEST, "metadata has no flag %u", request->flag);
	if (request->text.len > STORAGE_METADATA_MAX)
		return err_set(err, ERR_BAD_REQUEST, "%zu bytes are too many for metadata",
			request->text.len);
	return check_file(limits, &request->file, id, err);
}

int storage_read_range(const struct storage_limits *limits, struct span body,
	struct fdfs_download_request *request, struct file_id *id, struct err *err)
{
	if (!fdfs_get_download_request(body, request))
		return bad_body(body, err);
	return check_file(limits, &request->file, id, err);
}

int storage_range(const struct fdfs_download_request *request, uint64_t size, uint64_t *from,
	uint64_t *len, struct err *err)
{
	/* An empty file has one range, the empty one. */
	if (request->offset < 0 || request->bytes < 0 ||
		(uint64_t)request->offset >= size + (size == 0))
		return err_set(err, ERR_BAD_REQUEST,
			"%" PRId64 " bytes from %" PRId64 " are not in %.*s", request->bytes,
			request->offset, (int)request->file.name.len,
			(const char *)request->file.name.data);
	*from = (uint64_t)request->offset;
	*len = size - *from;
	if (request->bytes > 0 && (uint64_t)request->bytes < *len)
		*len = (uint64_t)request->bytes;
	return 0;
}

int storage_read_download(const struct storage_limits *limits, struct span body, struct file_id *id,
	uint64_t *from, uint64_t *len, struct err *err)
{
	struct fdfs_download_request request;

	if (storage_read_range(limits, body, &request, id, err) != 0)
		return -1;
	return storage_range(&request, id->size, from, len, err);
}

/* ---- names of elsewhere ---- */

static int check_old(const struct storage_limits *limits, struct span name, struct span content,
	struct file_id *id, struct err *err)
{
	if (!file_id_parse_name(span_str(limits->group), name, id))
		return err_set(err, ERR_BAD_ID, "'%.*s' is not the name of a file", (int)name.len,
			(const char *)name.data);
	if (id->kind != FILE_ID_NORMAL && id->kind != FILE_ID_TRUNK)
		return 0;
	if (id->size == content.len &&
		(id->crc == crc32_add(0, content) || id->crc == crc32_fastdfs_old(content)))
		return 0;
	return err_set(err, ERR_CORRUPT, "%s does not name these %zu bytes", id->name, content.len);
}

int storage_read_adopt(const struct storage_limits *limits, struct span body,
	struct fdfs_adopt_request *request, struct file_id olds[FDFS_NAMES_MAX], struct err *err)
{
	if (!fdfs_get_adopt_request(body, request))
		return bad_body(body, err);
	if (request->size > limits->max_file_size)
		return err_set(err, ERR_TOO_LARGE, "%" PRIu64 " bytes are over max_file_size",
			request->size);
	if (request->path != FDFS_ANY_PATH && request->path >= limits->path_count)
		return err_set(err, ERR_BAD_REQUEST, "there is no store path M%02X", request->path);
	if (!file_id_ext_ok(span_str(request->ext)))
		return err_set(
			err, ERR_BAD_REQUEST, "'%s' is not an extension for a name", request->ext);
	for (size_t i = 0; i < request->names.count; i++)
		if (check_old(limits, request->names.names[i], request->content, &olds[i], err) !=
			0)
			return -1;
	return 0;
}

/* The master's name, or the first master's: of any store path. */
static int check_master(
	const struct storage_limits *limits, struct span name, struct file_id *id, struct err *err)
{
	if (file_id_parse_name(span_str(limits->group), name, id))
		return 0;
	return err_set(err, ERR_BAD_ID, "'%.*s' is not the name of a master", (int)name.len,
		(const char *)name.data);
}

int storage_read_restore(const struct storage_limits *limits, struct span body,
	struct fdfs_restore_request *request, struct storage_restored *files, struct err *err)
{
	static const enum file_id_kind kinds[] = {
		[FDFS_RESTORED_SLAVE] = FILE_ID_SLAVE,
		[FDFS_RESTORED_APPENDER] = FILE_ID_APPENDER,
		[FDFS_RESTORED_FINISHED] = FILE_ID_NORMAL,
	};
	bool is_slave;

	*files = (struct storage_restored){ 0 };
	if (!fdfs_get_restore_request(body, request))
		return bad_body(body, err);
	is_slave = request->what == FDFS_RESTORED_SLAVE;
	if (request->size > limits->max_file_size)
		return err_set(err, ERR_TOO_LARGE, "%" PRIu64 " bytes are over max_file_size",
			request->size);
	if (!file_id_parse_name(span_str(limits->group), request->name, &files->id) ||
		files->id.kind != kinds[request->what])
		return err_set(err, ERR_BAD_ID, "'%.*s' is not the name of such a file",
			(int)request->name.len, (const char *)request->name.data);
	if (is_slave != (request->master.len > 0) || (!is_slave && request->first.len > 0))
		return err_set(err, ERR_BAD_REQUEST, "a slave has a master, and it alone");
	if ((is_slave && check_master(limits, request->master, &files->master, err) != 0) ||
		(request->first.len > 0 &&
			check_master(limits, request->first, &files->first, err) != 0))
		return -1;
	if (request->what == FDFS_RESTORED_FINISHED &&
		(files->id.size != request->size ||
			files->id.crc != crc32_add(0, request->content)))
		return err_set(err, ERR_CORRUPT, "%s does not name these %zu bytes", files->id.name,
			request->content.len);
	if (files->id.path >= limits->path_count)
		return err_set(err, ERR_UNSUPPORTED, "there is no store path M%02X for %s",
			files->id.path, files->id.name);
	return 0;
}

int storage_read_names(
	const struct storage_limits *limits, struct span body, struct file_id *id, struct err *err)
{
	struct fdfs_file_request file;

	if (!fdfs_get_file_request(body, &file))
		return bad_body(body, err);
	if (strcmp(file.group, limits->group) != 0 ||
		!file_id_parse_name(span_str(file.group), file.name, id))
		return err_set(err, ERR_BAD_ID, "'%.*s' is not the name of a file here",
			(int)file.name.len, (const char *)file.name.data);
	return 0;
}

enum { SET_HEAD = 8 + 8 + 1 + FDFS_GROUP_WIDTH }; /* of FDFS_SET_METADATA, before the name */

/* Where the name starts, and how long its place is. */
static bool name_place(uint8_t cmd, struct span body, size_t *at, size_t *len)
{
	switch (cmd) {
	case FDFS_DOWNLOAD:
		*at = 8 + 8 + FDFS_GROUP_WIDTH;
		break;
	case FDFS_DELETE:
	case FDFS_FILE_INFO:
	case FDFS_GET_METADATA:
		*at = FDFS_GROUP_WIDTH;
		break;
	case FDFS_SET_METADATA:
		*at = SET_HEAD;
		if (body.len < SET_HEAD || load_be64(body.data) > body.len - SET_HEAD)
			return false;
		*len = (size_t)load_be64(body.data);
		return true;
	default:
		return false;
	}
	if (body.len <= *at)
		return false;
	*len = body.len - *at;
	return true;
}

bool storage_named(
	const struct storage_limits *limits, uint8_t cmd, struct span body, struct file_id *id)
{
	char group[FDFS_GROUP_WIDTH + 1];
	struct cursor in;
	size_t at, len;

	if (!name_place(cmd, body, &at, &len))
		return false;
	in = cursor_of(span_of(body.data + at - FDFS_GROUP_WIDTH, FDFS_GROUP_WIDTH));
	cursor_get_field(&in, group, FDFS_GROUP_WIDTH);
	return strcmp(group, limits->group) == 0 &&
	       file_id_parse_name(span_str(group), fdfs_cut_name(span_of(body.data + at, len)), id);
}

bool storage_rename(uint8_t cmd, struct span *body, size_t room, struct span name)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)body->data;
	size_t at, len;

	if (!name_place(cmd, *body, &at, &len) || body->len - len > room ||
		name.len > room - (body->len - len))
		return false;
	memmove(bytes + at + name.len, bytes + at + len, body->len - at - len);
	memcpy(bytes + at, name.data, name.len);
	body->len = body->len - len + name.len;
	if (cmd == FDFS_SET_METADATA)
		store_be64(bytes, name.len);
	return true;
}

uint8_t storage_status(enum err_code code, uint8_t flags)
{
	if (code == ERR_GONE && (flags & FDFS_FLAG_TELL_GONE) != 0)
		return FDFS_STATUS_GONE;
	if (code == ERR_CORRUPT && (flags & FDFS_FLAG_TELL_GONE) != 0)
		return FDFS_STATUS_CORRUPT;
	return (uint8_t)err_fdfs_status(code);
}

int storage_offers(const struct storage_limits *limits, uint8_t cmd, struct err *err)
{
	if (!limits->no_names)
		return 0;
	switch (cmd) {
	case FDFS_SET_METADATA:
	case FDFS_UPLOAD_SLAVE:
	case FDFS_UPLOAD_APPENDER:
	case FDFS_APPEND:
	case FDFS_MODIFY:
	case FDFS_TRUNCATE:
	case FDFS_REGENERATE:
	case FDFS_ADOPT:
	case FDFS_RESTORE:
		return err_set(err, ERR_UNSUPPORTED,
			"group %s keeps pictures alone: no slaves, appenders, metadata or names "
			"of elsewhere",
			limits->group);
	default:
		return 0;
	}
}

int storage_permit(enum storage_mode mode, uint8_t cmd, struct err *err)
{
	switch (cmd) {
	case FDFS_UPLOAD:
	case FDFS_UPLOAD_APPENDER:
	case FDFS_ADOPT:
	case FDFS_RESTORE:
		if (mode != STORAGE_READ_WRITE)
			return err_set(err, ERR_FULL, "this storage is %s and takes no uploads",
				mode == STORAGE_DRAINING ? "draining" : "read-only");
		return 0;
	case FDFS_DELETE:
	case FDFS_SET_METADATA:
	case FDFS_UPLOAD_SLAVE:
	case FDFS_APPEND:
	case FDFS_MODIFY:
	case FDFS_TRUNCATE:
	case FDFS_REGENERATE:
		if (mode == STORAGE_READ_ONLY)
			return err_set(
				err, ERR_BUSY, "this storage is read-only and takes no changes");
		return 0;
	default:
		return 0;
	}
}
