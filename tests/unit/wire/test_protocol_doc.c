/* docs/protocol.md shows packages as bytes.  They are made here by the codec; where the page
 * shows anything else the test fails and prints what belongs there. */
#include "unit.h"
#include "wire/package.h"
#include "wire/ret.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 16, PAGE_MAX = 1 << 18 };

static const char picture[] = "g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg";
static const char cut_out[] = "g01/M00/00/00/CgEBxVxSYtCAPlzJAABKxmQSnhc904.jpg";
static const char session_key[] = "631068f6bbe0ace200afe7be7fd033c8dd77f950e5ce32b5";

enum kind { U16, U32, I32, C64, TEXT };

struct field {
	enum kind kind;
	const char *name;
};

static const struct field header[] = { { U32, "len" }, { U16, "cmd" }, { U32, "id" },
	{ U32, "seq" }, { U32, "ret" }, { 0 } };
static const struct field none[] = { { 0 } };
static const struct field item[] = { { U32, "hostid" }, { C64, "url" }, { 0 } };
static const struct field cut[] = { { U32, "hostid" }, { C64, "url" }, { U32, "clip_w" },
	{ U32, "clip_h" }, { I32, "start_x" }, { I32, "start_y" }, { U32, "thumb_w" },
	{ U32, "thumb_h" }, { 0 } };
static const struct field deletion[] = { { U32, "count" }, { U32, "hostid" }, { C64, "url" },
	{ U32, "hostid" }, { C64, "url" }, { 0 } };
static const struct field session[] = { { U16, "what" }, { U16, "len" }, { TEXT, "key" }, { 0 } };
static const struct field session_reply[] = { { U32, "used" }, { U32, "left" }, { 0 } };

static void expect_on_page(struct buf *text)
{
	static char page[PAGE_MAX];
	FILE *file = fopen(PROTOCOL_MD, "r");

	assert_non_null(file);
	page[fread(page, 1, sizeof page - 1, file)] = '\0';
	fclose(file);
	buf_put_u8(text, '\0');
	assert_true(buf_ok(text));
	if (strstr(page, (const char *)text->data) != NULL)
		return;
	fprintf(stderr, "%s", (const char *)text->data); /* too long for a message */
	fail_msg("docs/protocol.md lacks what stands above");
}

static size_t len_of(enum kind kind, size_t left)
{
	switch (kind) {
	case U16:
		return 2;
	case C64:
		return 64;
	case TEXT:
		return left;
	default:
		return 4;
	}
}

static void put_value(struct buf *out, enum kind kind, struct span bytes, enum byte_order order)
{
	struct cursor cursor = cursor_of(bytes);

	if (kind == U16)
		buf_printf(out, "%u", package_get_u16(&cursor, order));
	else if (kind == U32)
		buf_printf(out, "%" PRIu32, package_get_u32(&cursor, order));
	else if (kind == I32)
		buf_printf(out, "%" PRId32, (int32_t)package_get_u32(&cursor, order));
	else
		buf_printf(out, "%.*s", (int)strnlen((const char *)bytes.data, bytes.len),
			(const char *)bytes.data);
}

/* A line for a field: its bytes, its name, its value; 16 bytes a line. */
static void put_field(
	struct buf *out, const struct field *field, struct span bytes, enum byte_order order)
{
	for (size_t i = 0; i < bytes.len; i += COLUMNS) {
		for (size_t j = i; j < i + COLUMNS && (i == 0 || j < bytes.len); j++)
			if (j < bytes.len)
				buf_printf(out, "%02x ", bytes.data[j]);
			else
				buf_put_str(out, "   ");
		if (i == 0) {
			buf_printf(out, " %-7s  ", field->name);
			put_value(out, field->kind, bytes, order);
		} else {
			out->len--; /* no space at the end of a line */
		}
		buf_put_str(out, "\n");
	}
}

static void put_fields(
	struct buf *out, const struct field *fields, struct span *bytes, enum byte_order order)
{
	for (; fields->name != NULL; fields++) {
		size_t len = len_of(fields->kind, bytes->len);

		assert_true(len <= bytes->len);
		put_field(out, fields, span_of(bytes->data, len), order);
		*bytes = span_of(bytes->data + len, bytes->len - len);
	}
}

static void expect_shown(struct package package, const struct field *fields, const struct buf *body,
	enum byte_order order)
{
	struct buf bytes, text;
	struct span left;
	size_t at;

	buf_init(&bytes, 4096);
	buf_init(&text, 65536);
	package.id = 10001;
	at = package_begin(&bytes, &package, order);
	buf_put_span(&bytes, buf_span(body));
	package_end(&bytes, at, order);
	left = buf_span(&bytes);
	buf_put_str(&text, "```\n");
	put_fields(&text, header, &left, order);
	put_fields(&text, fields, &left, order);
	assert_int_equal(left.len, 0);
	buf_put_str(&text, "```\n");
	expect_on_page(&text);
	buf_fini(&bytes);
	buf_fini(&text);
}

static struct package_item item_of(const char *url)
{
	struct package_item it = { 0 };

	snprintf(it.url.text, sizeof it.url.text, "%s", url);
	return it;
}

TEST(the_page_shows_a_cut)
{
	struct package_cut request = { .clip_w = 300,
		.clip_h = 200,
		.start_x = -10,
		.start_y = 20,
		.thumb_w = 150,
		.thumb_h = 100 };
	struct package_item reply = item_of(cut_out);
	struct buf body;

	request.url = item_of(picture).url;
	buf_init(&body, 1024);
	package_cut_encode(&body, ORDER_LITTLE, &request);
	expect_shown((struct package){ .cmd = CMD_CUT, .seq = 1 }, cut, &body, ORDER_LITTLE);
	buf_clear(&body);
	package_item_encode(&body, ORDER_LITTLE, &reply);
	expect_shown((struct package){ .cmd = CMD_CUT, .seq = 1 }, item, &body, ORDER_LITTLE);
	buf_clear(&body);
	expect_shown((struct package){ .cmd = CMD_CUT, .seq = 1, .ret = RET_GONE }, none, &body,
		ORDER_LITTLE);
	buf_fini(&body);
}

static void put_deletion(struct buf *body)
{
	struct package_item items[] = { item_of(picture), item_of(cut_out) };

	package_put_u32(body, ORDER_LITTLE, 2);
	package_item_encode(body, ORDER_LITTLE, &items[0]);
	package_item_encode(body, ORDER_LITTLE, &items[1]);
}

TEST(the_page_shows_deletions)
{
	struct package later = { .cmd = CMD_DELETE_LATER, .seq = 2 };
	struct package now = { .cmd = CMD_DELETE_NOW, .seq = 3 };
	struct buf body;

	buf_init(&body, 1024);
	put_deletion(&body);
	expect_shown(later, deletion, &body, ORDER_LITTLE);
	buf_clear(&body);
	expect_shown(later, none, &body, ORDER_LITTLE);
	package_put_u32(&body, ORDER_LITTLE, 1);
	package_item_encode(
		&body, ORDER_LITTLE, &(struct package_item){ .url = item_of(picture).url });
	expect_shown(now,
		(const struct field[]){
			{ U32, "count" }, { U32, "hostid" }, { C64, "url" }, { 0 } },
		&body, ORDER_LITTLE);
	buf_clear(&body);
	expect_shown(now, none, &body, ORDER_LITTLE);
	buf_fini(&body);
}

TEST(the_page_shows_a_session_check)
{
	struct package package = { .cmd = CMD_SESSION, .seq = 4 };
	struct package_session use = { SESSION_USE, span_str(session_key) };
	struct buf body;

	buf_init(&body, 1024);
	package_session_encode(&body, ORDER_LITTLE, &use);
	expect_shown(package, session, &body, ORDER_LITTLE);
	buf_clear(&body);
	package_session_reply_encode(&body, ORDER_LITTLE, 12, 18);
	expect_shown(package, session_reply, &body, ORDER_LITTLE);
	buf_clear(&body);
	package.ret = RET_KEY_EXPIRED;
	expect_shown(package, none, &body, ORDER_LITTLE);
	buf_fini(&body);
}

TEST(the_page_shows_a_ping_in_either_order)
{
	struct buf body = { 0 };

	expect_shown((struct package){ .cmd = CMD_PING, .seq = 5 }, none, &body, ORDER_LITTLE);
	expect_shown((struct package){ .cmd = CMD_PING, .seq = 5 }, none, &body, ORDER_BIG);
}

TEST(the_page_lists_every_ret)
{
	struct buf rows;

	buf_init(&rows, 65536);
	buf_put_str(&rows, "| ret | word | meaning |\n|---|---|---|\n");
	for (uint32_t ret = 0; ret < RET_COUNT; ret++)
		buf_printf(&rows, "| %" PRIu32 " | `%s` | %s |\n", ret, err_word(ret_to_err(ret)),
			err_meaning(ret_to_err(ret)));
	buf_put_str(&rows, "\n");
	expect_on_page(&rows);
	buf_fini(&rows);
}
