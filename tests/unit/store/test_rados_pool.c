#include "store/rados_pool.h"
#include "unit.h"

#include <string.h>

#define DF                                                                                         \
	"{\"stats\":{\"total_bytes\":12884901888},\"pools\":["                                     \
	"{\"name\":\"other\",\"stats\":{\"stored\":5,\"max_avail\":6}},"                           \
	"{\"name\":\"pics\",\"stats\":{\"stored\":1000,\"objects\":10,\"max_avail\":9000,"         \
	"\"quota_objects\":%s,\"quota_bytes\":%s}}]}"

static struct rados_pool_space space_with(const char *objects, const char *bytes)
{
	struct rados_pool_space space = { 0 };
	struct buf json;
	struct err err = { 0 };

	buf_init(&json, 1000);
	buf_printf(&json, DF, objects, bytes);
	if (rados_pool_read_space(buf_span(&json), "pics", &space, &err) != 0)
		fail_msg("%s", err.text);
	buf_fini(&json);
	return space;
}

TEST(a_pool_has_the_room_that_cluster_and_quota_leave)
{
	struct rados_pool_space space = space_with("0", "0");

	assert_int_equal(space.free, 9000);
	assert_int_equal(space.total, 10000);
	assert_int_equal(space_with("0", "5000").free, 4000);
	assert_int_equal(space_with("0", "50000").free, 9000);
	assert_int_equal(space_with("0", "999").free, 0);
	assert_int_equal(space_with("11", "0").free, 9000);
	assert_int_equal(space_with("10", "0").free, 0);
}

TEST(no_room_is_told_of_a_pool_that_is_not_there_or_by_who_does_not_know)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"stats\":{\"total_bytes\":1},\"pools\":[]}",
		"{\"stats\":{\"total_bytes\":1},\"pools\":[{\"name\":7},8,null]}",
		/* no manager has reported yet */
		"{\"stats\":{\"total_bytes\":0},\"pools\":[{\"name\":\"pics\",\"stats\":{}}]}",
	};
	struct rados_pool_space space;
	struct err err;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(rados_pool_read_space(span_str(bad[i]), "pics", &space, &err), -1);
		assert_int_equal(err.code, ERR_UNREACHABLE);
	}
}

TEST(reads_numbers_and_texts)
{
	static const char *const bad[] = { "", "7", "{}", "{\"k\":0}", "{\"k\":-1}",
		"{\"k\":\"x\"}", "{\"k\":\"9999999999\"}", "{\"k\":1.5}" };
	int64_t number = 0;
	char text[6];
	struct err err;

	assert_int_equal(rados_pool_read_number(SPAN("{\"k\":3}"), "k", &number, &err), 0);
	assert_int_equal(number, 3);
	assert_int_equal(rados_pool_read_number(SPAN("{\"k\":\"4\"}"), "k", &number, &err), 0);
	assert_int_equal(number, 4);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(rados_pool_read_number(span_str(bad[i]), "k", &number, &err), -1);
	assert_true(rados_pool_read_text(SPAN("{\"p\":\"wide\"}"), "p", text, 5));
	assert_string_equal(text, "wide");
	assert_false(rados_pool_read_text(SPAN("{\"p\":\"too long\"}"), "p", text, 5));
	assert_false(rados_pool_read_text(SPAN("{\"p\":1}"), "p", text, 5));
	assert_false(rados_pool_read_text(SPAN("{"), "p", text, 5));
}
