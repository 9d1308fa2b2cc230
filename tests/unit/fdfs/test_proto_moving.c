#include "fdfs/proto_moving.h"
#include "proto_kit.h"

#include "unit.h"

TEST(an_order_to_move_and_the_answer_come_back_as_they_were)
{
	const struct fdfs_move_order order = { 3, 1700000000, 5 << 20 };
	struct fdfs_move_report report = {
		.order = order, .state = 2, .looked = 7, .bytes = UINT64_MAX, .failed = 1
	};
	struct fdfs_move_order read;
	struct fdfs_move_report told;
	struct buf buf;

	strcpy(report.trouble, "the S3 service answers 503");
	buf_init(&buf, FDFS_MOVE_LEN_MAX);
	fdfs_put_move_order(&buf, &order);
	assert_true(fdfs_get_move_order(buf_span(&buf), &read));
	assert_int_equal(read.action, 3);
	assert_int_equal(read.before, 1700000000);
	assert_int_equal(read.rate, 5 << 20);
	buf_clear(&buf);
	fdfs_put_move_report(&buf, &report);
	assert_true(fdfs_get_move_report(buf_span(&buf), &told));
	assert_int_equal(told.order.rate, 5 << 20);
	assert_int_equal(told.state, 2);
	assert_int_equal(told.looked, 7);
	assert_true(told.bytes == UINT64_MAX);
	assert_int_equal(told.failed, 1);
	assert_string_equal(told.trouble, report.trouble);
	assert_false(fdfs_get_move_order(buf_span(&buf), &read));
	buf_fini(&buf);
}

TEST(an_order_to_move_that_makes_no_sense_is_refused)
{
	static const char *const orders[] = {
		"", "01", "02 01 ........ ........", /* another version */
		"01 04 ........ ........",           /* no such action */
		"01 01 80....... ........",          /* before the year 1970 */
		"01 01 ........ 80.......",          /* a rate below 0 */
		"01 01 ........ .......",            /* too short */
		"01 01 ........ ........ .",         /* too long */
	};
	struct fdfs_move_order order;
	struct fdfs_move_report report;

	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
		assert_false(fdfs_get_move_order(hex(orders[i]), &order));
	assert_true(fdfs_get_move_order(hex("01 01 ........ ........"), &order));
	assert_true(fdfs_get_move_report(
		hex("01 01 04 ........ ........ ........ ........ ........ ........ ........ "
		    "........ ........"),
		&report));
	assert_false(fdfs_get_move_report(/* no such state */
		hex("01 01 05 ........ ........ ........ ........ ........ ........ ........ "
		    "........ ........"),
		&report));
	assert_false(fdfs_get_move_report(/* what a terminal would obey */
		hex("01 01 04 ........ ........ ........ ........ ........ ........ ........ "
		    "........ ........ 1b 5b"),
		&report));
}
