/* What is read as a picture to adopt, a file that comes back, a list of names, an order to move
 * or the answer to one is written as the same bytes; and a request is only ever renamed to one
 * that names just that. */
#include "programs/storage_server/storage_requests.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct storage_limits limits = {
	.group = "g01", .path_count = 2, .max_file_size = 1000
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_adopt(struct span body)
{
	struct file_id olds[FDFS_NAMES_MAX];
	struct fdfs_adopt_request request;
	struct fdfs_names names;
	struct err err;
	struct buf out;

	buf_init(&out, FDFS_ADOPT_HEAD_MAX + body.len);
	if (fdfs_get_adopt_request(body, &request)) {
		fdfs_put_adopt_head(&out, &request);
		buf_put_span(&out, request.content);
		/* The extension's field may have anything behind its NUL. */
		assert(buf_ok(&out) && out.len == body.len);
		assert(memcmp(out.data + 9, body.data + 9, body.len - 9) == 0);
		if (storage_read_adopt(&limits, body, &request, olds, &err) == 0)
			assert(strcmp(olds[0].group, "g01") == 0 && request.size <= 1000);
	}
	buf_clear(&out);
	if (fdfs_get_names(body, &names)) {
		fdfs_put_names(&out, &names);
		assert(buf_ok(&out) && span_equal(buf_span(&out), body));
	}
	buf_fini(&out);
}

static void try_restore(struct span body)
{
	struct fdfs_restore_request request;
	struct storage_restored files;
	struct err err;
	struct buf out;

	if (!fdfs_get_restore_request(body, &request))
		return;
	buf_init(&out, FDFS_RESTORE_HEAD_MAX + body.len);
	fdfs_put_restore_head(&out, &request);
	buf_put_span(&out, request.content);
	assert(buf_ok(&out) && span_equal(buf_span(&out), body));
	buf_fini(&out);
	if (storage_read_restore(&limits, body, &request, &files, &err) == 0) {
		assert(files.id.path < limits.path_count && request.size <= 1000);
		assert((files.id.kind == FILE_ID_SLAVE) == (files.master.name_len > 0));
	}
}

static void try_move(struct span body)
{
	struct fdfs_move_order order;
	struct fdfs_move_report report;
	struct buf out;

	buf_init(&out, FDFS_MOVE_LEN_MAX);
	if (fdfs_get_move_order(body, &order)) {
		fdfs_put_move_order(&out, &order);
		assert(buf_ok(&out) && span_equal(buf_span(&out), body));
	}
	buf_clear(&out);
	if (fdfs_get_move_report(body, &report)) {
		fdfs_put_move_report(&out, &report);
		assert(buf_ok(&out) && span_equal(buf_span(&out), body));
	}
	buf_fini(&out);
}

static void try_rename(uint8_t cmd, struct span body)
{
	static const char name[] = "M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg";
	size_t room = body.len + sizeof name;
	uint8_t *copy = malloc(room);
	struct span renamed = { copy, body.len };
	struct file_id id;

	assert(copy != NULL);
	memcpy(copy, body.data, body.len);
	if (storage_named(&limits, cmd, body, &id)) {
		assert(storage_rename(cmd, &renamed, room, span_str(name)));
		assert(renamed.len <= room);
		assert(storage_named(&limits, cmd, renamed, &id) && strcmp(id.name, name) == 0);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	try_adopt(span_of(data + 1, size - 1));
	try_restore(span_of(data + 1, size - 1));
	try_move(span_of(data + 1, size - 1));
	try_rename(data[0], span_of(data + 1, size - 1));
	return 0;
}
