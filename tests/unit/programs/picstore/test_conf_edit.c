#include "programs/picstore/conf_edit.h"
#include "unit.h"

#include <string.h>

static void check(const char *text, const char *section, const char *key, const char *expected)
{
	struct buf out;

	buf_init(&out, 4096);
	conf_edit_set(span_str(text), section, key, "new", &out);
	buf_put_u8(&out, '\0');
	assert_string_equal((const char *)out.data, expected);
	buf_fini(&out);
}

TEST(changes_a_value_where_it_stands)
{
	check("# note\n[a]\nx = 1\nkey = old ; why\ny = 2\n", "a", "key",
		"# note\n[a]\nx = 1\nkey = new\ny = 2\n");
	check("[a]\n\tkey=old", "a", "key", "[a]\nkey = new\n");
}

TEST(looks_only_into_the_section_that_is_meant)
{
	check("[b]\nkey = 1\n[a]\nkey = 2\n", "a", "key", "[b]\nkey = 1\n[a]\nkey = new\n");
	check("[storage g01]\nkey = 1\n[storage g02]\nkey = 2\n", "storage g02", "key",
		"[storage g01]\nkey = 1\n[storage g02]\nkey = new\n");
}

TEST(takes_no_other_key_and_no_comment_for_the_key)
{
	check("[a]\nkeys = 1\n# key = 2\nmy key = 3\n", "a", "key",
		"[a]\nkey = new\nkeys = 1\n# key = 2\nmy key = 3\n");
}

TEST(adds_a_key_to_its_section)
{
	check("[a]\nx = 1\n[b]\n", "a", "key", "[a]\nkey = new\nx = 1\n[b]\n");
	check("[a]", "a", "key", "[a]\nkey = new\n");
}

TEST(adds_a_section_at_the_end)
{
	check("[a]\nx = 1", "b", "key", "[a]\nx = 1\n\n[b]\nkey = new\n");
	check("", "b", "key", "[b]\nkey = new\n");
}

TEST(finds_a_key_in_a_section_that_stands_twice)
{
	check("[a]\nx = 1\n[b]\n[a]\nkey = 2\n", "a", "key", "[a]\nx = 1\n[b]\n[a]\nkey = new\n");
}
