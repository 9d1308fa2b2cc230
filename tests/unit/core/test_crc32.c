#include "core/crc32.h"
#include "unit.h"

TEST(is_the_common_crc)
{
	assert_int_equal(crc32_add(0, SPAN("hello world")), 0x0d4a1185);
	assert_int_equal(crc32_add(0, SPAN("")), 0);
}

TEST(continues_where_it_stopped)
{
	assert_int_equal(crc32_add(crc32_add(0, SPAN("hello ")), SPAN("world")), 0x0d4a1185);
}

TEST(knows_the_crc_of_old_servers)
{
	assert_int_equal(crc32_fastdfs_old(SPAN("hello world")), 0x03fd3389);
}
