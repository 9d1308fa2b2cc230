#include "fdfs/metadata_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct record {
	struct span key, value;
	size_t turn;
};

struct records {
	struct record *items;
	size_t count, room;
};

bool metadata_next(struct span *text, struct span *key, struct span *value)
{
	while (text->len > 0) {
		const uint8_t *end = memchr(text->data, 1, text->len), *mark;
		struct span record = *text;

		if (end != NULL)
			record.len = (size_t)(end - text->data);
		*text = end == NULL ? span_of(NULL, 0)
				    : span_of(end + 1, text->len - record.len - 1);
		mark = record.len == 0 ? NULL : memchr(record.data, 2, record.len);
		if (mark == NULL || mark == record.data)
			continue;
		*key = span_of(record.data, (size_t)(mark - record.data));
		*value = span_of(mark + 1, record.len - key->len - 1);
		return true;
	}
	return false;
}

static int add_all(struct records *records, struct span text, struct err *err)
{
	struct span key, value;

	while (metadata_next(&text, &key, &value)) {
		if (key.len > METADATA_KEY_MAX || value.len > METADATA_VALUE_MAX)
			return err_set(err, ERR_BAD_REQUEST,
				"a key of %zu or a value of %zu bytes is too long for metadata",
				key.len, value.len);
		if (records->count == records->room) {
			records->room = records->room == 0 ? 16 : records->room * 2;
			records->items = reallocarray(
				records->items, records->room, sizeof *records->items);
			assert(records->items != NULL);
		}
		records->items[records->count] = (struct record){ key, value, records->count };
		records->count++;
	}
	return 0;
}

static int by_key(const struct span *a, const struct span *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->data, b->data, len);

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* By key, and of the same key the later first. */
static int in_order(const void *left, const void *right)
{
	const struct record *a = left, *b = right;
	int order = by_key(&a->key, &b->key);

	return order != 0 ? order : (a->turn < b->turn) - (a->turn > b->turn);
}

static void put_all(struct buf *out, const struct records *records)
{
	for (size_t i = 0; i < records->count; i++) {
		const struct record *record = &records->items[i];

		if (i > 0 && span_equal(record->key, record[-1].key))
			continue;
		if (i > 0)
			buf_put_u8(out, 1);
		buf_put_span(out, record->key);
		buf_put_u8(out, 2);
		buf_put_span(out, record->value);
	}
}

int metadata_change(enum metadata_flag flag, struct span old, struct span text, struct buf *out,
	struct err *err)
{
	struct records records = { 0 };
	int result = 0;

	if (flag == METADATA_MERGE)
		result = add_all(&records, old, err);
	if (result == 0)
		result = add_all(&records, text, err);
	if (result == 0 && records.count > 0) {
		qsort(records.items, records.count, sizeof *records.items, in_order);
		put_all(out, &records);
	}
	free(records.items);
	return result;
}
