#include "service/store_place.h"
#include "unit.h"

#include <stdio.h>

static bool is_here(const char *fdfs, const char *listen)
{
	char text[256];
	struct settings *settings;
	struct err err;
	bool here;

	snprintf(text, sizeof text, "[fdfs]\n%s\n[tracker]\nlisten = %s\n", fdfs, listen);
	settings = settings_parse("/etc/p.conf", text, &err);
	assert_non_null(settings);
	here = store_place_is_here(settings);
	settings_free(settings);
	return here;
}

TEST(the_store_is_here_without_a_word)
{
	struct err err;
	struct settings *settings = settings_parse("/etc/p.conf", "", &err);

	assert_true(store_place_is_here(settings));
	settings_free(settings);
}

TEST(the_store_is_here_if_one_tracker_is_ours)
{
	assert_true(is_here("tracker_server = 192.0.2.1:1 127.0.0.1:7", "127.0.0.1:7"));
	assert_true(is_here("tracker_server = localhost:7", "127.0.0.1:7"));
	assert_true(is_here("tracker_server = 127.0.0.1:7", "0.0.0.0:7"));
	assert_true(is_here("tracker_server = 127.0.0.9:7", "0.0.0.0:7"));
}

TEST(the_store_is_elsewhere_if_no_tracker_is_ours)
{
	assert_false(is_here("tracker_server = 192.0.2.1:7", "127.0.0.1:7"));
	assert_false(is_here("tracker_server = 127.0.0.1:8", "127.0.0.1:7"));
	assert_false(is_here("tracker_server = 127.0.0.9:7", "127.0.0.1:7"));
	assert_false(is_here("tracker_server = 192.0.2.1:7", "0.0.0.0:7"));
}

TEST(what_is_said_counts_more_than_addresses)
{
	assert_false(is_here("tracker_server = 127.0.0.1:7\nstore = elsewhere", "127.0.0.1:7"));
	assert_true(is_here("tracker_server = 192.0.2.1:7\nstore = here", "127.0.0.1:7"));
}
