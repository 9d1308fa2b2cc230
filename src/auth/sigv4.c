#include "auth/sigv4.h"

#include "auth/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DAY_LEN = 8 }; /* the day of a date: 20130524 */

static void to_hex(const uint8_t bytes[DIGEST_LEN], char out[SIGV4_HASH_LEN + 1])
{
	for (size_t i = 0; i < DIGEST_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

void sigv4_date(int64_t unix_time, char out[SIGV4_DATE_LEN + 1])
{
	time_t seconds = (time_t)unix_time;
	struct tm tm;

	assert(gmtime_r(&seconds, &tm) != NULL);
	assert(strftime(out, SIGV4_DATE_LEN + 1, "%Y%m%dT%H%M%SZ", &tm) == SIGV4_DATE_LEN);
}

void sigv4_hash(struct span bytes, char out[SIGV4_HASH_LEN + 1])
{
	uint8_t hash[DIGEST_LEN];

	digest(bytes, hash);
	to_hex(hash, out);
}

void sigv4_encode(struct buf *out, struct span text, bool is_path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];

		if (memchr(plain, byte, sizeof plain - 1) != NULL || (is_path && byte == '/'))
			buf_put_u8(out, byte);
		else
			buf_printf(out, "%%%02X", byte);
	}
}

static void hmac(struct span key, struct span text, uint8_t out[DIGEST_LEN])
{
	unsigned len = 0;

	assert(HMAC(EVP_sha256(), key.data, (int)key.len, text.data, text.len, out, &len) != NULL);
	assert(len == DIGEST_LEN);
}

/* The key of one day, region and service. */
static void derive_key(const struct sigv4_key *key, const char *date, uint8_t out[DIGEST_LEN])
{
	uint8_t first[256];
	size_t len = strlen(key->secret);

	assert(len <= sizeof first - 4);
	memcpy(first, "AWS4", 4);
	memcpy(first + 4, key->secret, len);
	hmac(span_of(first, len + 4), span_of(date, DAY_LEN), out);
	explicit_bzero(first, sizeof first);
	hmac(span_of(out, DIGEST_LEN), span_str(key->region), out);
	hmac(span_of(out, DIGEST_LEN), span_str(key->service), out);
	hmac(span_of(out, DIGEST_LEN), SPAN("aws4_request"), out);
}

static void put_names(const struct sigv4_request *request, struct buf *out)
{
	for (size_t i = 0; i < request->header_count; i++) {
		assert(i == 0 ||
			strcmp(request->headers[i - 1].name, request->headers[i].name) < 0);
		buf_printf(out, "%s%s", i == 0 ? "" : ";", request->headers[i].name);
	}
}

/* The request in the one form that both sides hash. */
static void put_canonical(const struct sigv4_request *request, struct buf *out)
{
	buf_printf(out, "%s\n%s\n%s\n", request->method, request->path, request->query);
	for (size_t i = 0; i < request->header_count; i++)
		buf_printf(out, "%s:%s\n", request->headers[i].name, request->headers[i].value);
	buf_put_u8(out, '\n');
	put_names(request, out);
	buf_printf(out, "\n%s", request->payload_hash);
}

void sigv4_sign(const struct sigv4_key *key, const struct sigv4_request *request, const char *date,
	struct buf *out)
{
	char scope[256], hash[SIGV4_HASH_LEN + 1], signature[SIGV4_HASH_LEN + 1];
	uint8_t bytes[DIGEST_LEN];
	struct buf text;

	buf_init(&text, 64 << 10);
	put_canonical(request, &text);
	assert(buf_ok(&text));
	sigv4_hash(buf_span(&text), hash);
	snprintf(scope, sizeof scope, "%.*s/%s/%s/aws4_request", DAY_LEN, date, key->region,
		key->service);
	buf_clear(&text);
	buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hash);
	derive_key(key, date, bytes);
	hmac(span_of(bytes, sizeof bytes), buf_span(&text), bytes);
	to_hex(bytes, signature);
	buf_fini(&text);
	buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=", key->access, scope);
	put_names(request, out);
	buf_printf(out, ",Signature=%s", signature);
}
