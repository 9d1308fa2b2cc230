/* buf.h - bytes: owned and growing (buf), borrowed (span), being read (cursor).
 *
 * Writers remember, readers refuse: the buf_put functions return nothing and
 * remember the first failure for buf_ok(); the cursor_get functions never read
 * past the end, and cursor_end() refuses leftover bytes. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes.  Who hands a span out says how long it may be used. */
struct span {
	const uint8_t *data;
	size_t len;
};

#define SPAN(text) ((struct span){ (const uint8_t *)(text), sizeof(text) - 1 }) /* of a literal */

struct span span_of(const void *data, size_t len);
struct span span_str(const char *text); /* without the NUL */
bool span_equal(struct span a, struct span b);
bool span_equal_nocase(struct span a, struct span b); /* ASCII letters only */
bool span_is(struct span a, const char *text);

/* Owned bytes that grow as they are written, up to `limit` bytes. */
struct buf {
	uint8_t *data;
	size_t len;   /* bytes written */
	size_t cap;   /* bytes allocated */
	size_t limit; /* the most it may grow to */
	bool failed;  /* a write did not fit `limit`, or memory ended */
};

void buf_init(struct buf *buf, size_t limit); /* allocates nothing yet */
void buf_fini(struct buf *buf);               /* frees; a zeroed buf is fine */
void buf_clear(struct buf *buf);              /* forgets bytes and failure, keeps the memory */
void buf_trim(struct buf *buf, size_t keep);  /* the same, but more memory than `keep` is freed */

/* Make room for `more` bytes behind `len` and return where they go, or NULL.
 * The caller fills them and adds what it used to `len`. */
uint8_t *buf_reserve(struct buf *buf, size_t more);

void buf_put(struct buf *buf, const void *data, size_t len);
void buf_put_span(struct buf *buf, struct span span);
void buf_put_str(struct buf *buf, const char *text);
void buf_put_u8(struct buf *buf, uint8_t value);
void buf_put_le16(struct buf *buf, uint16_t value);
void buf_put_le32(struct buf *buf, uint32_t value);
void buf_put_le64(struct buf *buf, uint64_t value);
void buf_put_be16(struct buf *buf, uint16_t value);
void buf_put_be32(struct buf *buf, uint32_t value);
void buf_put_be64(struct buf *buf, uint64_t value);
/* A fixed field: `text` and NULs up to `width`.  A longer text is a failure. */
void buf_put_field(struct buf *buf, const char *text, size_t width);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args);

/* True if every write so far fitted. */
bool buf_ok(const struct buf *buf);

/* The bytes written so far, valid until the next write or buf_fini. */
struct span buf_span(const struct buf *buf);

/* Reads through borrowed bytes.  After a read past the end every further read
 * returns zeros and cursor_ok() is false. */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

struct cursor cursor_of(struct span span);
uint8_t cursor_get_u8(struct cursor *cursor);
uint16_t cursor_get_le16(struct cursor *cursor);
uint32_t cursor_get_le32(struct cursor *cursor);
uint64_t cursor_get_le64(struct cursor *cursor);
uint16_t cursor_get_be16(struct cursor *cursor);
uint32_t cursor_get_be32(struct cursor *cursor);
uint64_t cursor_get_be64(struct cursor *cursor);
/* `len` bytes, borrowed from the cursor's span; empty and bad if there are fewer. */
struct span cursor_get_span(struct cursor *cursor, size_t len);
/* A fixed field of `width` bytes up to its first NUL, copied to `out` (width + 1
 * bytes) with a NUL.  Bytes behind the NUL are passed over, whatever they are. */
void cursor_get_field(struct cursor *cursor, char *out, size_t width);
size_t cursor_left(const struct cursor *cursor);
bool cursor_ok(const struct cursor *cursor);  /* nothing was read past the end */
bool cursor_end(const struct cursor *cursor); /* the same, and nothing is left over */

uint16_t load_le16(const uint8_t *p);
uint32_t load_le32(const uint8_t *p);
uint64_t load_le64(const uint8_t *p);
uint16_t load_be16(const uint8_t *p);
uint32_t load_be32(const uint8_t *p);
uint64_t load_be64(const uint8_t *p);
void store_le16(uint8_t *p, uint16_t v);
void store_le32(uint8_t *p, uint32_t v);
void store_le64(uint8_t *p, uint64_t v);
void store_be16(uint8_t *p, uint16_t v);
void store_be32(uint8_t *p, uint32_t v);
void store_be64(uint8_t *p, uint64_t v);
