/* fuzz_fdfs_replies.c - what is read from a reply is the same when it is written and read
 * again: in the same number of bytes, for those layouts that we write.
 *
 * The first byte chooses what kind of reply the rest is. */
#include "fdfs/proto.h"

#include <assert.h>
#include <string.h>

static struct span written(const struct buf *out, size_t len)
{
	assert(buf_ok(out) && out->len == len);
	return buf_span(out);
}

static void try_route(struct span in, struct buf *out, bool store)
{
	struct fdfs_route route = { 0 }, again = { 0 };
	size_t fixed = store ? 17 : 16;
	enum fdfs_ip_width width;

	if (!(store ? fdfs_get_store : fdfs_get_fetch)(in, &route))
		return;
	assert(route.count >= 1 && route.count <= FDFS_ROUTE_MAX);
	width = in.len == fixed + route.count * 23 ? FDFS_IP_16 : FDFS_IP_46;
	(store ? fdfs_put_store : fdfs_put_fetch)(out, width, &route);
	assert((store ? fdfs_get_store : fdfs_get_fetch)(written(out, in.len), &again));
	assert(memcmp(&route, &again, sizeof route) == 0);
}

static void try_info(struct span in, struct buf *out)
{
	struct fdfs_info_reply info = { 0 }, again = { 0 };

	if (!fdfs_get_info_reply(in, &info))
		return;
	fdfs_put_info_reply(out, in.len == 40 ? FDFS_IP_16 : FDFS_IP_46, &info);
	assert(fdfs_get_info_reply(written(out, in.len), &again));
	assert(memcmp(&info, &again, sizeof info) == 0);
}

static void try_upload(struct span in, struct buf *out)
{
	struct fdfs_file_request file = { 0 };

	if (!fdfs_get_upload_reply(in, &file))
		return;
	assert(file.name.len >= 1 && file.name.len <= FILE_ID_NAME_MAX);
	fdfs_put_upload_reply(out, &file);
	assert(buf_ok(out) && out->len <= in.len);
	/* A name ends before its first NUL. */
	assert(memcmp(out->data + 16, in.data + 16, out->len - 16) == 0);
	assert(out->len == in.len || in.data[out->len] == '\0');
}

static void try_groups(struct span in, struct buf *out)
{
	size_t len, count;

	if (!fdfs_group_records(in, &len, &count))
		return;
	assert(len * count == in.len);
	for (size_t i = 0; i < count; i++) {
		struct fdfs_group_record record, again;

		assert(fdfs_get_group_record(span_of(in.data + i * len, len), &record));
		buf_clear(out);
		fdfs_put_group_record(
			out, len == 113 ? FDFS_LAYOUT_CURRENT : FDFS_LAYOUT_105_612, &record);
		assert(fdfs_get_group_record(written(out, len), &again));
		assert(memcmp(&record, &again, sizeof record) == 0);
	}
}

static void try_storages(struct span in, struct buf *out)
{
	size_t len, count;

	if (!fdfs_storage_records(in, &len, &count))
		return;
	assert(len * count == in.len);
	for (size_t i = 0; i < count; i++) {
		struct fdfs_storage_record record, again;

		assert(fdfs_get_storage_record(span_of(in.data + i * len, len), &record));
		if (len != 487 && len != 517 && len != 612 && len != 642)
			continue; /* read, but never written */
		buf_clear(out);
		fdfs_put_storage_record(out, len < 600 ? FDFS_LAYOUT_CURRENT : FDFS_LAYOUT_105_612,
			len == 487 || len == 612 ? FDFS_IP_16 : FDFS_IP_46, &record);
		assert(fdfs_get_storage_record(written(out, len), &again));
		assert(memcmp(&record, &again, sizeof record) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in;
	struct buf out;

	if (size == 0)
		return 0;
	in = span_of(data + 1, size - 1);
	buf_init(&out, 1 << 20);
	switch (data[0]) {
	case 's':
		try_route(in, &out, true);
		break;
	case 'f':
		try_route(in, &out, false);
		break;
	case 'i':
		try_info(in, &out);
		break;
	case 'u':
		try_upload(in, &out);
		break;
	case 'g':
		try_groups(in, &out);
		break;
	case 't':
		try_storages(in, &out);
		break;
	}
	buf_fini(&out);
	return 0;
}
