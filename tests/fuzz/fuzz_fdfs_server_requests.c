/* fuzz_fdfs_server_requests.c - whatever a client or a storage sends, a tracker answers
 * with a failure and no body, or with a body that a client can read; and what a storage
 * accepts is a file of its own group, and a range within it.
 *
 * The input is any number of packages, one behind the other. */
#include "programs/storage_server/storage_requests.h"
#include "programs/tracker_server/tracker_answers.h"

#include <assert.h>
#include <string.h>

static const struct storage_limits limits = {
	.group = "g01", .path_count = 2, .max_file_size = 1000
};

static bool readable(uint8_t cmd, struct span reply)
{
	struct fdfs_route route;
	size_t len, count;

	switch (cmd) {
	case FDFS_QUERY_STORE_ONE:
	case FDFS_QUERY_STORE_ALL:
	case FDFS_QUERY_STORE_GROUP_ONE:
	case FDFS_QUERY_STORE_GROUP_ALL:
		return fdfs_get_store(reply, &route);
	case FDFS_QUERY_FETCH_ONE:
	case FDFS_QUERY_FETCH_ALL:
	case FDFS_QUERY_UPDATE:
		return fdfs_get_fetch(reply, &route);
	case FDFS_LIST_GROUP:
	case FDFS_LIST_GROUPS:
		return fdfs_group_records(reply, &len, &count);
	case FDFS_LIST_STORAGES:
		return fdfs_storage_records(reply, &len, &count);
	case FDFS_RUN_STATE:
		return reply.len == FDFS_RUN_STATE_LEN;
	case FDFS_STORAGE_IDS:
		return reply.len >= 8 && load_be32(reply.data + 4) <= load_be32(reply.data);
	case FDFS_STORAGE_ID:
		return reply.len >= 1 && reply.len <= FDFS_ID_WIDTH;
	case FDFS_STORAGE_STATUS:
		return reply.len == FDFS_STORAGE_STATUS_LEN;
	case FDFS_PARAMETERS:
		return reply.len > 0 && reply.data[reply.len - 1] == '\n';
	case FDFS_TRACKER_STATS:
		return reply.len == 1 + FDFS_TRACKER_STAT_LEN;
	case FDFS_STORAGE_STATS:
		return reply.len == 6 + load_be32(reply.data + 2) * (size_t)FDFS_STORAGE_STAT_LEN;
	case FDFS_VOLUME_STATS:
		return reply.len == 5 + load_be32(reply.data + 1) * (size_t)FDFS_VOLUME_STAT_LEN;
	default:
		return reply.len == 0;
	}
}

static void ask_tracker(struct tracker_answers *tracker, uint8_t cmd, struct span body, int64_t now)
{
	struct err err = { 0 };
	struct buf out;

	buf_init(&out, 1 << 20);
	if (tracker_answer(tracker, cmd, body, tracker, now, now, &out, &err) != 0)
		assert(out.len == 0 && err_fdfs_status(err.code) != 0);
	else
		assert(readable(cmd, buf_span(&out)));
	buf_fini(&out);
}

static bool within(struct span all, struct span part)
{
	return part.len == 0 ||
	       (part.data >= all.data && part.data + part.len <= all.data + all.len);
}

static void ask_for_names(uint8_t cmd, struct span body)
{
	struct fdfs_slave_request slave;
	struct fdfs_change_request change;
	struct fdfs_metadata_request metadata;
	struct file_id id, made;
	struct err err;

	if (storage_read_slave(&limits, body, &slave, &id, &made, &err) == 0) {
		assert(made.kind == FILE_ID_SLAVE && made.path == id.path && id.path < 2);
		assert(slave.content.len == slave.size && within(body, slave.content));
	}
	if (storage_read_change(&limits, cmd, body, &change, &id, &err) == 0) {
		assert(id.path < 2 && change.size >= 0 && change.offset >= 0);
		assert(within(body, change.content));
	}
	if (storage_read_metadata(&limits, body, &metadata, &id, &err) == 0) {
		assert(strcmp(id.group, "g01") == 0 && id.path < 2);
		assert(within(body, metadata.text));
	}
}

static void ask_storage(const struct fdfs_header *header, struct span body)
{
	struct fdfs_upload_request upload;
	struct file_id id;
	struct err err;
	uint64_t from, len;

	switch (storage_intake(&limits, header)) {
	case STORAGE_COLLECT:
		assert(header->len >= 0 && header->len <= STORAGE_METADATA_BODY_MAX);
		break;
	case STORAGE_DRAIN:
	case STORAGE_LEAVE:
		assert(storage_refuse(&limits, header, &err) == -1);
		assert(storage_status(err.code, header->status) != 0);
		return;
	case STORAGE_HANG_UP:
		return;
	}
	if (storage_read_upload(&limits, body, &upload, &err) == 0)
		assert(upload.content.len == upload.size && file_id_ext_ok(span_str(upload.ext)));
	if (storage_read_file(&limits, body, &id, &err) == 0) {
		assert(strcmp(id.group, "g01") == 0 && id.path < 2);
		/* A name ends before its first NUL. */
		assert(span_equal(
			fdfs_cut_name(span_of(body.data + 16, body.len - 16)), span_str(id.name)));
	}
	ask_for_names(header->cmd, body);
	if (storage_read_download(&limits, body, &id, &from, &len, &err) == 0)
		assert(from <= id.size && len <= id.size - from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tracker_answers tracker = { 0 };
	struct cursor in = cursor_of(span_of(data, size));
	int64_t now = 0;

	cluster_init(&tracker.cluster, CLUSTER_ROUND_ROBIN, "", 1000);
	cluster_expect(&tracker.cluster, "g01");
	while (cursor_left(&in) >= FDFS_HEADER_LEN) {
		struct span head = cursor_get_span(&in, FDFS_HEADER_LEN);
		struct fdfs_header header = fdfs_header_read(head.data);
		struct span body = { 0 };

		tracker.ip_width = header.status & 1 ? FDFS_IP_46 : FDFS_IP_16;
		tracker.layout = header.status & 2   ? FDFS_LAYOUT_105_612
				 : header.status & 4 ? FDFS_LAYOUT_105_600
						     : FDFS_LAYOUT_CURRENT;
		if (header.len >= 0 && (uint64_t)header.len <= cursor_left(&in))
			body = cursor_get_span(&in, (size_t)header.len);
		ask_storage(&header, body);
		if (header.len < 0 || header.len > TRACKER_BODY_MAX ||
			body.len != (size_t)header.len)
			break;
		ask_tracker(&tracker, header.cmd, body, now += 10);
	}
	cluster_fini(&tracker.cluster);
	return 0;
}
