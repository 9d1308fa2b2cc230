#include "moving/name_set.h"
#include "unit.h"

#include <stdio.h>

TEST(names_are_known_once_they_were_added)
{
	struct name_set set = { 0 };
	char name[32];

	assert_false(name_set_has(&set, "a"));
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "name %d", i);
		assert_false(name_set_has(&set, name));
		assert_true(name_set_add(&set, name));
		assert_false(name_set_add(&set, name));
	}
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "name %d", i);
		assert_true(name_set_has(&set, name));
	}
	assert_int_equal(set.count, 20000);
	name_set_fini(&set);
}
