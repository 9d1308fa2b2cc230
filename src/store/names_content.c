/* names_content.c - the bytes of a file in names.db.
 *
 * Row n of a file has its bytes from n * 64 KiB on, and their CRC.  A row may be shorter,
 * or missing: what is not there is zeros, up to the file's size. */
#include "core/crc32.h"
#include "store/names_inside.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static int64_t row_of(const struct names_file *file, uint64_t chunk)
{
	return file->number << NAMES_CHUNK_BITS | (int64_t)chunk;
}

/* The bytes of the row that `query` stands at, checked. */
static int row_bytes(struct sql_query *query, struct span *bytes, struct err *err)
{
	*bytes = sql_blob(query, 2);
	if (bytes->len > NAMES_CHUNK || crc32_add(0, *bytes) != (uint32_t)sql_int(query, 1))
		return err_set(err, ERR_CORRUPT, "row %" PRId64 " of names.db has changed",
			sql_int(query, 0));
	return 0;
}

/* Calls `take` with pieces of the file, one behind the other. */
typedef void take_piece(void *context, struct span piece);

static void take_zeros(take_piece *take, void *context, uint64_t len)
{
	static const uint8_t zeros[NAMES_CHUNK];

	while (len > 0) {
		size_t part = len < sizeof zeros ? (size_t)len : sizeof zeros;

		take(context, span_of(zeros, part));
		len -= part;
	}
}

static int each_piece(struct names_link *link, const struct names_file *file, uint64_t from,
	uint64_t end, take_piece *take, void *context, struct err *err)
{
	struct sql_query *query = link->chunks;
	uint64_t at = from;
	int got;

	if (from >= end)
		return 0;
	sql_put_int(query, 1, row_of(file, from / NAMES_CHUNK));
	sql_put_int(query, 2, row_of(file, (end - 1) / NAMES_CHUNK));
	while ((got = sql_step(query, err)) == 1) {
		uint64_t start = (uint64_t)(sql_int(query, 0) - row_of(file, 0)) * NAMES_CHUNK;
		struct span bytes;

		if (row_bytes(query, &bytes, err) != 0) {
			sql_reset(query);
			return -1;
		}
		if (start + bytes.len > end)
			bytes.len = (size_t)(end - start);
		if (start > at) {
			take_zeros(take, context, start - at);
			at = start;
		}
		if (start + bytes.len <= at)
			continue;
		take(context, span_of(bytes.data + (at - start), bytes.len - (size_t)(at - start)));
		at = start + bytes.len;
	}
	if (got == 0)
		take_zeros(take, context, end - at);
	return got;
}

static void take_to_buf(void *context, struct span piece)
{
	buf_put_span(context, piece);
}

int names_content_read(struct names_link *link, const struct names_file *file, uint64_t from,
	uint64_t len, struct buf *out, struct err *err)
{
	uint64_t size = file->stat.size, before = out->len;

	if (from > size)
		from = size;
	if (len > size - from)
		len = size - from;
	if (len > out->limit - out->len)
		return err_set(
			err, ERR_TOO_LARGE, "%" PRIu64 " bytes are more than is wanted here", len);
	if (each_piece(link, file, from, from + len, take_to_buf, out, err) != 0) {
		out->len = before;
		return -1;
	}
	return buf_ok(out) ? 0 : err_set(err, ERR_INTERNAL, "memory has ended");
}

static void take_to_crc(void *context, struct span piece)
{
	uint32_t *crc = context;

	*crc = crc32_add(*crc, piece);
}

int names_content_crc(
	struct names_link *link, const struct names_file *file, uint32_t *crc, struct err *err)
{
	*crc = 0;
	return each_piece(link, file, 0, file->stat.size, take_to_crc, crc, err);
}

static int put_row(struct names_link *link, int64_t row, struct span bytes, struct err *err)
{
	sql_put_int(link->put_chunk, 1, row);
	sql_put_int(link->put_chunk, 2, crc32_add(0, bytes));
	sql_put_blob(link->put_chunk, 3, bytes);
	return sql_run(link->put_chunk, err);
}

/* The bytes of one row, and zeros behind them. */
static int get_row(struct names_link *link, int64_t row, uint8_t out[NAMES_CHUNK], size_t *len,
	struct err *err)
{
	struct span bytes = { 0 };
	int got;

	memset(out, 0, NAMES_CHUNK);
	sql_put_int(link->chunks, 1, row);
	sql_put_int(link->chunks, 2, row);
	got = sql_step(link->chunks, err);
	if (got == 1) {
		got = row_bytes(link->chunks, &bytes, err);
		if (got == 0 && bytes.len > 0)
			memcpy(out, bytes.data, bytes.len);
		sql_reset(link->chunks);
	}
	*len = bytes.len;
	return got;
}

int names_content_write(struct names_link *link, const struct names_file *file, uint64_t offset,
	struct span content, struct err *err)
{
	uint8_t old[NAMES_CHUNK];

	while (content.len > 0) {
		size_t at = (size_t)(offset % NAMES_CHUNK), len = NAMES_CHUNK - at, had;
		int64_t row = row_of(file, offset / NAMES_CHUNK);
		struct span bytes;

		if (len > content.len)
			len = content.len;
		bytes = span_of(content.data, len);
		if (len < NAMES_CHUNK) {
			if (get_row(link, row, old, &had, err) != 0)
				return -1;
			memcpy(old + at, content.data, len);
			bytes = span_of(old, had > at + len ? had : at + len);
		}
		if (put_row(link, row, bytes, err) != 0)
			return -1;
		content = span_of(content.data + len, content.len - len);
		offset += len;
	}
	return 0;
}

/* So that nothing of what was there comes back when the file grows again. */
int names_content_cut(
	struct names_link *link, const struct names_file *file, uint64_t size, struct err *err)
{
	uint8_t old[NAMES_CHUNK];
	size_t rest = (size_t)(size % NAMES_CHUNK), had;
	uint64_t whole = size / NAMES_CHUNK;

	if (rest > 0) {
		if (get_row(link, row_of(file, whole), old, &had, err) != 0)
			return -1;
		if (had > rest && put_row(link, row_of(file, whole), span_of(old, rest), err) != 0)
			return -1;
		whole++;
	}
	sql_put_int(link->drop_chunks, 1, row_of(file, whole));
	sql_put_int(link->drop_chunks, 2, row_of(file, (UINT64_C(1) << NAMES_CHUNK_BITS) - 1));
	return whole >> NAMES_CHUNK_BITS != 0 ? (sql_reset(link->drop_chunks), 0)
					      : sql_run(link->drop_chunks, err);
}
