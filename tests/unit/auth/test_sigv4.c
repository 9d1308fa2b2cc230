/* Against the examples that AWS publishes: those of the S3 documentation ("Examples:
 * Signature Calculations in AWS Signature Version 4") and of its test suite. */
#include "auth/sigv4.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DATE  "20130524T000000Z"
#define HOST                                                                                       \
	{                                                                                          \
		"host", "examplebucket.s3.amazonaws.com"                                           \
	}

static const struct sigv4_key s3_key = {
	"AKIAIOSFODNN7EXAMPLE",
	"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	"us-east-1",
	"s3",
};

static void expect(const struct sigv4_key *key, const struct sigv4_request *request,
	const char *date, const char *authorization)
{
	struct buf out;

	buf_init(&out, 4096);
	sigv4_sign(key, request, date, &out);
	buf_put_u8(&out, '\0');
	assert_true(buf_ok(&out));
	assert_string_equal((const char *)out.data, authorization);
	buf_fini(&out);
}

#define EXPECT_S3(request, names, signature)                                                       \
	expect(&s3_key, &(request), DATE,                                                          \
		"AWS4-HMAC-SHA256 "                                                                \
		"Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"              \
		"SignedHeaders=" names ",Signature=" signature)

TEST(signs_a_get_of_a_range)
{
	static const struct sigv4_header headers[] = {
		HOST,
		{ "range", "bytes=0-9" },
		{ "x-amz-content-sha256", EMPTY },
		{ "x-amz-date", DATE },
	};
	struct sigv4_request request = { "GET", "/test.txt", "", headers, 4, EMPTY };

	EXPECT_S3(request, "host;range;x-amz-content-sha256;x-amz-date",
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(signs_a_put_with_an_encoded_key)
{
	char hash[SIGV4_HASH_LEN + 1], path[64];
	struct buf encoded;

	sigv4_hash(SPAN("Welcome to Amazon S3."), hash);
	buf_init(&encoded, 63);
	sigv4_encode(&encoded, SPAN("/test$file.text"), true);
	snprintf(path, sizeof path, "%.*s", (int)encoded.len, (const char *)encoded.data);
	buf_fini(&encoded);

	const struct sigv4_header headers[] = {
		{ "date", "Fri, 24 May 2013 00:00:00 GMT" },
		HOST,
		{ "x-amz-content-sha256", hash },
		{ "x-amz-date", DATE },
		{ "x-amz-storage-class", "REDUCED_REDUNDANCY" },
	};
	struct sigv4_request request = { "PUT", path, "", headers, 5, hash };

	assert_string_equal(path, "/test%24file.text");
	EXPECT_S3(request, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
		"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(signs_a_query)
{
	static const struct sigv4_header headers[] = {
		HOST,
		{ "x-amz-content-sha256", EMPTY },
		{ "x-amz-date", DATE },
	};
	struct sigv4_request lifecycle = { "GET", "/", "lifecycle=", headers, 3, EMPTY };
	struct sigv4_request list = { "GET", "/", "max-keys=2&prefix=J", headers, 3, EMPTY };

	EXPECT_S3(lifecycle, "host;x-amz-content-sha256;x-amz-date",
		"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	EXPECT_S3(list, "host;x-amz-content-sha256;x-amz-date",
		"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(signs_get_vanilla_of_the_test_suite)
{
	static const struct sigv4_key key = {
		"AKIDEXAMPLE",
		"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
		"us-east-1",
		"service",
	};
	static const struct sigv4_header headers[] = {
		{ "host", "example.amazonaws.com" },
		{ "x-amz-date", "20150830T123600Z" },
	};
	struct sigv4_request request = { "GET", "/", "", headers, 2, EMPTY };

	expect(&key, &request, "20150830T123600Z",
		"AWS4-HMAC-SHA256 "
		"Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request,"
		"SignedHeaders=host;x-amz-date,"
		"Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(writes_dates_and_hashes)
{
	char date[SIGV4_DATE_LEN + 1], hash[SIGV4_HASH_LEN + 1];

	sigv4_date(1369353600, date);
	assert_string_equal(date, DATE);
	sigv4_date(0, date);
	assert_string_equal(date, "19700101T000000Z");
	sigv4_hash((struct span){ 0 }, hash);
	assert_string_equal(hash, EMPTY);
}

TEST(encodes_what_is_not_plain)
{
	struct buf out;

	buf_init(&out, 256);
	sigv4_encode(&out, SPAN("aZ09-._~/ +=%\xc3\xa9"), false);
	assert_true(span_is(buf_span(&out), "aZ09-._~%2F%20%2B%3D%25%C3%A9"));
	buf_fini(&out);
}
