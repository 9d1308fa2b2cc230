#include "store/engine_faulty.h"
#include "store_kit.h"
#include "unit.h"

TEST(fails_as_it_is_told)
{
	struct engine_fault fault = { .code = ERR_CORRUPT, .after = 1, .every = 2 };
	static const enum err_code expected[] = { ERR_NONE, ERR_NONE, ERR_CORRUPT, ERR_NONE,
		ERR_CORRUPT };
	struct engine_stat stat;
	struct file_id id;
	struct kit kit;

	kit_start(&kit, "faulty");
	id = kit_put(&kit, 1000, 1);
	engine_faulty_set(kit.engine, ENGINE_OP_STAT, &fault);
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		struct err err = { 0 };

		engine_stat(kit.engine, &id, 0, &stat, &err);
		assert_int_equal(err.code, expected[i]);
	}
	kit_close(&kit);
}

TEST(an_unknown_outcome_may_have_happened)
{
	struct file_id id;
	struct err err;
	struct kit kit;

	kit_start(&kit, "faulty");
	id = kit_put(&kit, 1000, 1);
	assert_int_equal(engine_faulty_parse(kit.engine, "remove=unknown", &err), 0);
	assert_int_equal(kit_remove(&kit, &id), ERR_UNKNOWN);
	assert_int_equal(kit_get_code(&kit, &id), ERR_GONE);
	kit_close(&kit);
}

TEST(reads_rules_and_refuses_what_is_none)
{
	static const char *const bad[] = { "put", "put=", "put=no_such_word", "cut=store_full",
		"put=store_full/", "put=store_full/x", "put=store_full;get=corrupt" };
	struct engine_put put = { .content = SPAN("x"), .path = ENGINE_ANY_PATH };
	struct err err;
	struct kit kit;

	kit_start(&kit, "faulty");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (engine_faulty_parse(kit.engine, bad[i], &err) == 0)
			fail_msg("accepted '%s'", bad[i]);
	assert_int_equal(
		engine_faulty_parse(kit.engine, "get=corrupt/10+3,put=store_full", &err), 0);
	assert_int_equal(engine_put_wait(kit.engine, &put), -1);
	assert_int_equal(put.err.code, ERR_FULL);
	assert_int_equal(engine_faulty_parse(kit.engine, "put=ok", &err), 0);
	kit_put(&kit, 10, 1);
	kit_close(&kit);
}
