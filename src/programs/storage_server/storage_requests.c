#include "programs/storage_server/storage_requests.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { DRAIN_TIMES = 4 }; /* bodies up to so many times max_file_size are read to be thrown away */

static uint64_t body_max(const struct storage_limits *limits, uint8_t cmd)
{
	return cmd == FDFS_UPLOAD ? limits->max_file_size + FDFS_UPLOAD_HEAD_LEN
				  : STORAGE_PLAIN_BODY_MAX;
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
	if (header->cmd == FDFS_UPLOAD)
		return err_set(err, ERR_TOO_LARGE,
			"an upload of %" PRId64 " bytes is over max_file_size, %" PRIu64,
			header->len - FDFS_UPLOAD_HEAD_LEN, limits->max_file_size);
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

static int check_file(const struct storage_limits *limits, const struct fdfs_file_request *file,
	struct file_id *id, struct err *err)
{
	if (strcmp(file->group, limits->group) != 0)
		return err_set(err, ERR_BAD_REQUEST, "group '%s' is not here, this is %s",
			file->group, limits->group);
	if (!file_id_parse_name(span_str(file->group), file->name, id))
		return err_set(err, ERR_BAD_ID, "'%.*s' is not the name of a file",
			(int)file->name.len, (const char *)file->name.data);
	if (id->path >= limits->path_count)
		return err_set(err, ERR_BAD_ID, "there is no store path M%02X", id->path);
	return 0;
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

int storage_read_download(const struct storage_limits *limits, struct span body, struct file_id *id,
	uint64_t *from, uint64_t *len, struct err *err)
{
	struct fdfs_download_request request;

	if (!fdfs_get_download_request(body, &request))
		return bad_body(body, err);
	if (check_file(limits, &request.file, id, err) != 0)
		return -1;
	/* An empty file has one range, the empty one. */
	if (request.offset < 0 || request.bytes < 0 ||
		(uint64_t)request.offset >= id->size + (id->size == 0))
		return err_set(err, ERR_BAD_REQUEST,
			"%" PRId64 " bytes from %" PRId64 " are not in %s", request.bytes,
			request.offset, id->name);
	*from = (uint64_t)request.offset;
	*len = id->size - *from;
	if (request.bytes > 0 && (uint64_t)request.bytes < *len)
		*len = (uint64_t)request.bytes;
	return 0;
}

uint8_t storage_status(enum err_code code, uint8_t flags)
{
	if (code == ERR_GONE && (flags & FDFS_FLAG_TELL_GONE) != 0)
		return FDFS_STATUS_GONE;
	if (code == ERR_CORRUPT && (flags & FDFS_FLAG_TELL_GONE) != 0)
		return FDFS_STATUS_CORRUPT;
	return (uint8_t)err_fdfs_status(code);
}

int storage_permit(enum storage_mode mode, uint8_t cmd, struct err *err)
{
	switch (cmd) {
	case FDFS_UPLOAD:
	case FDFS_UPLOAD_APPENDER:
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
