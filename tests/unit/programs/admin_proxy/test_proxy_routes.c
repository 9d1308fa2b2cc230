#include "programs/admin_proxy/proxy_routes.h"
#include "unit.h"

static void expect(uint16_t cmd, const char *name, bool repeat)
{
	struct proxy_route route;

	assert_true(proxy_route(cmd, &route));
	assert_string_equal(proxy_service_name(route.service), name);
	assert_int_equal(route.repeat, repeat);
}

TEST(each_command_has_its_service)
{
	expect(3002, "del_svr", true);
	expect(3005, "cut_svr", true);
	expect(3030, "cs_del_svr", true);
	expect(0x10B5, "sess_check_svr", false);
	expect(0x10C0, "metadata_dbsvr", false);
	expect(0x10C4, "metadata_dbsvr", true);
	expect(0x10C5, "metadata_dbsvr", false);
	expect(0x10CC, "metadata_dbsvr", true);
	expect(0x10DF, "metadata_dbsvr", false);
}

TEST(other_commands_have_none)
{
	static const uint16_t others[] = { 0, 3001, 3003, 3006, 3031, 0x10B0, 0x10B4, 0x10B6,
		0x10BF, 0x10E0, UINT16_MAX };
	struct proxy_route route = { .service = PROXY_SESSION };

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (proxy_route(others[i], &route))
			fail_msg("command %u has a route", others[i]);
	assert_int_equal(route.service, PROXY_SESSION); /* left alone */
}

TEST(lists_exactly_the_commands_with_a_route)
{
	uint16_t listed[PROXY_COMMANDS_MAX];
	size_t count = proxy_route_commands(listed), found = 0;
	struct proxy_route route;

	for (unsigned cmd = 0; cmd <= UINT16_MAX; cmd++)
		found += proxy_route((uint16_t)cmd, &route);
	assert_int_equal(count, found);
	for (size_t i = 0; i < count; i++)
		assert_true(proxy_route(listed[i], &route));
}
