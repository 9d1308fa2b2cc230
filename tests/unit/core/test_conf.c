#include "core/buf.h"
#include "core/conf.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shelf {
	char name[32];
	char *label;
	int64_t width;
};

struct target {
	char *text, *path, *address, *peer;
	bool flag;
	int64_t number, size, wait, mode, choice;
	struct conf_list list, paths;
	struct shelf shelves[2];
	size_t shelf_count;
};

#define KEY(section, name, type, value, min, max)                                                  \
	{                                                                                          \
		section, #name, type, offsetof(struct target, name), value, min, max,              \
			"red|green|blue", "The " #name " of it."                                   \
	}

static const struct conf_key keys[] = {
	KEY("main", text, CONF_TEXT, "", 0, 0),
	KEY("main", path, CONF_PATH, "/var/x", 0, 0),
	KEY("main", address, CONF_ADDRESS, "127.0.0.1:80", 0, 0),
	KEY("main", peer, CONF_ADDRESS, "", 0, 0),
	KEY("main", flag, CONF_BOOL, "no", 0, 0),
	KEY("other", number, CONF_INT, "5", -10, 100),
	KEY("other", size, CONF_SIZE, "4K", 1024, INT64_C(1) << 40),
	KEY("other", wait, CONF_DURATION, "1s", 0, 86400000),
	KEY("other", mode, CONF_MODE, "660", 0, 0),
	KEY("other", choice, CONF_CHOICE, "green", 0, 0),
	KEY("other", list, CONF_LIST, "a b", 0, 0),
	KEY("other", paths, CONF_PATHS, "", 0, 0),
	{ "shelf", "label", CONF_TEXT, offsetof(struct shelf, label), "none", 0, 0, NULL,
		"Label." },
	{ "shelf", "width", CONF_INT, offsetof(struct shelf, width), "7", 0, 0, NULL, "Width." },
};

static const struct conf_table table;

static void *make_shelf(void *target, const char *section, const char *name, struct err *err)
{
	struct target *t = target;
	struct shelf *shelf = &t->shelves[t->shelf_count];

	assert_string_equal(section, "shelf");
	if (t->shelf_count == 2) {
		err_set(err, ERR_CONFIG, "two shelves are enough");
		return NULL;
	}
	t->shelf_count++;
	snprintf(shelf->name, sizeof shelf->name, "%s", name);
	assert_int_equal(conf_instance_defaults(&table, section, shelf, err), 0);
	return shelf;
}

static const char *const named[] = { "shelf", NULL };
static const struct conf_table table = { keys, sizeof keys / sizeof keys[0], make_shelf, named };

static void drop(struct target *target)
{
	conf_free(&table, NULL, target);
	for (size_t i = 0; i < target->shelf_count; i++)
		conf_free(&table, "shelf", &target->shelves[i]);
}

static int try_read(const char *text, size_t len, struct target *target, struct err *err)
{
	memset(target, 0, sizeof *target);
	assert_int_equal(conf_defaults(&table, target, err), 0);
	return conf_read_text(&table, "/etc/t.conf", text, len, target, err);
}

static struct target read_good(const char *text)
{
	struct target target;
	struct err err = { 0 };

	if (try_read(text, strlen(text), &target, &err) != 0)
		fail_msg("refused: %s", err.text);
	return target;
}

TEST(an_empty_file_leaves_every_default)
{
	struct target t = read_good("");

	assert_string_equal(t.text, "");
	assert_string_equal(t.path, "/var/x");
	assert_string_equal(t.address, "127.0.0.1:80");
	assert_string_equal(t.peer, "");
	assert_false(t.flag);
	assert_int_equal(t.number, 5);
	assert_int_equal(t.size, 4096);
	assert_int_equal(t.wait, 1000);
	assert_int_equal(t.mode, 0660);
	assert_int_equal(t.choice, 1);
	assert_int_equal(t.list.count, 2);
	assert_int_equal(t.paths.count, 0);
	assert_int_equal(t.shelf_count, 0);
	drop(&t);
}

TEST(reads_every_type)
{
	struct target t = read_good(
		"# a comment\n; another\n\n [main] \n\ttext=  with = and a# in it#\n"
		"path = sub/../a b/./c//\naddress = [::1]:8080\n"
		"peer = unix:/run/x.sock\nflag = on\n"
		"[other]\nnumber = -10\nsize = 3G\nwait = 250ms\nmode = 0755\n"
		"choice = blue\nlist = x, y\tz,,\npaths = /a rel /b/..");

	assert_string_equal(t.path, "/etc/a b/c");
	assert_string_equal(t.address, "[::1]:8080");
	assert_string_equal(t.peer, "unix:/run/x.sock");
	assert_true(t.flag);
	assert_int_equal(t.number, -10);
	assert_int_equal(t.size, INT64_C(3) << 30);
	assert_int_equal(t.wait, 250);
	assert_int_equal(t.mode, 0755);
	assert_int_equal(t.choice, 2);
	assert_int_equal(t.list.count, 3);
	assert_string_equal(t.list.items[2], "z");
	assert_int_equal(t.paths.count, 3);
	assert_string_equal(t.paths.items[1], "/etc/rel");
	assert_string_equal(t.paths.items[2], "/");
	drop(&t);
}

TEST(reads_named_sections_each_with_its_defaults)
{
	struct target t = read_good("[shelf left]\nwidth = 9\n[shelf right]\nlabel = books\n");

	assert_int_equal(t.shelf_count, 2);
	assert_string_equal(t.shelves[0].name, "left");
	assert_string_equal(t.shelves[0].label, "none");
	assert_int_equal(t.shelves[0].width, 9);
	assert_string_equal(t.shelves[1].label, "books");
	assert_int_equal(t.shelves[1].width, 7);
	drop(&t);
}

TEST(a_named_section_without_keys_is_there)
{
	struct target t = read_good("[shelf empty]");

	assert_int_equal(t.shelf_count, 1);
	drop(&t);
}

TEST(takes_byte_order_mark_crlf_and_long_lines)
{
	char text[5000] = "\xef\xbb\xbf[main]\r\ntext = ";
	struct target t;
	size_t len = strlen(text);

	memset(text + len, 'a', 4000);
	strcpy(text + len + 4000, "\r\nflag = yes\r\n");
	t = read_good(text);
	assert_int_equal(strlen(t.text), 4000);
	assert_true(t.flag);
	drop(&t);
}

TEST(refuses_wrong_lines_with_file_and_line)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "text = a\n", "1: a key needs a [section] above it" },
		{ "[main]\nhello\n", "2: 'hello' is neither [section] nor key = value" },
		{ "[mian]\n", "1: there is no section [mian]" },
		{ "[main\n", "1: a heading is [section] or [section name] and nothing else" },
		{ "[main] x\n", "1: a heading is [section] or [section name] and nothing else" },
		{ "[]\n", "1: there is no section []" },
		{ "[main]\n\ntxet = a\n", "3: [main] has no key 'txet'; is 'text' meant?" },
		{ "[main]\nnumber = 1\n", "2: [main] has no key 'number'; [other] has one" },
		{ "[main]\nxyzzy = 1\n", "2: [main] has no key 'xyzzy'" },
		{ "[main]\n= 1\n", "2: [main] has no key ''" },
		{ "[main]\ntext = a\nflag = on\ntext = a\n",
			"4: 'text' has been set in line 2 already" },
		{ "[main]\n[other]\n[main]\n", "3: [main] has begun in line 1 already" },
		{ "[shelf a]\n[shelf  a ]\n", "2: [shelf a] has begun in line 1 already" },
		{ "[main x]\n", "1: [main] takes no name" },
		{ "[shelf]\n", "1: [shelf] needs a name, as in [shelf g01]" },
		{ "[shelf a b]\n",
			"1: 'a b' is not a name: up to 31 letters, digits, dots, dashes, "
			"underscores" },
		{ "[shelf 12345678901234567890123456789012]\n",
			"1: '12345678901234567890123456789012' is not a name: up to 31 letters, "
			"digits, dots, dashes, underscores" },
		{ "[shelf a]\n[shelf b]\n[shelf c]\n", "3: two shelves are enough" },
		{ "[main]\ntext = a # b\n", "2: a comment needs a line of its own" },
		{ "[main]\ntext = ; b\n", "2: a comment needs a line of its own" },
		{ "[main]\ntext = \"a\"\n", "2: a value is written without quotes" },
		{ "[main]\ntext = a\x01\n", "2: a control character stands in column 9" },
		{ "[main]\npath =\n", "2: path: a value is missing" },
		{ "[main]\naddress = 127.0.0.1\n", "2: address: '127.0.0.1' is not an address: "
						   "host:port, [v6]:port or unix:/path" },
		{ "[main]\nflag = maybe\n", "2: flag: 'maybe' is not yes or no" },
		{ "[main]\nflag = Yes\n", "2: flag: 'Yes' is not yes or no" },
		{ "[other]\nnumber = 101\n", "2: number: '101' is not between -10 and 100" },
		{ "[other]\nnumber = 1.5\n", "2: number: '1.5' is not a whole number" },
		{ "[other]\nnumber = -\n", "2: number: '-' is not a whole number" },
		{ "[other]\nnumber = 0x10\n", "2: number: '0x10' is not a whole number" },
		{ "[other]\nnumber = 99999999999999999999\n",
			"2: number: '99999999999999999999' is not a number that fits 64 bits" },
		{ "[other]\nsize = 1023\n", "2: size: '1023' is not between 1K and 1T" },
		{ "[other]\nsize = 5MB\n", "2: size: '5MB' is not a size: digits, then K, M, G, T "
					   "or nothing (bytes)" },
		{ "[other]\nsize = -1K\n", "2: size: '-1K' is not a size: digits, then K, M, G, T "
					   "or nothing (bytes)" },
		{ "[other]\nsize = 9223372036854775807K\n",
			"2: size: '9223372036854775807K' is not a number that fits 64 bits" },
		{ "[other]\nwait = 10\n",
			"2: wait: '10' is not a time: digits, then ms, s, m, h or d" },
		{ "[other]\nwait = 2d\n", "2: wait: '2d' is not between 0 and 1d" },
		{ "[other]\nmode = 890\n",
			"2: mode: '890' is not a file mode of three octal digits, such as 660" },
		{ "[other]\nchoice = pink\n", "2: choice: 'pink' is not one of red|green|blue" },
		{ "[other]\nchoice = re\n", "2: choice: 're' is not one of red|green|blue" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err err = { 0 };
		struct target t;

		if (try_read(bad[i].text, strlen(bad[i].text), &t, &err) == 0)
			fail_msg("accepted: %s", bad[i].text);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_memory_equal(err.text, "/etc/t.conf:", 12);
		assert_string_equal(err.text + 12, bad[i].why);
		drop(&t);
	}
}

TEST(refuses_a_nul)
{
	struct err err = { 0 };
	struct target t;

	assert_int_equal(try_read("[main]\ntext = a\0b", 17, &t, &err), -1);
	assert_string_equal(err.text, "/etc/t.conf:2: a control character stands in column 9");
	drop(&t);
}

TEST(no_duration_needs_no_unit)
{
	struct target t = read_good("[other]\nwait = 0\n");

	assert_int_equal(t.wait, 0);
	drop(&t);
}

TEST(sets_a_key_from_a_command_line)
{
	struct target t = read_good("");
	struct err err = { 0 };

	assert_int_equal(conf_set(&table, "other", "size", "8K", &t, &err), 0);
	assert_int_equal(t.size, 8192);
	assert_int_equal(conf_set(&table, "shelf", "label", "x", &t.shelves[0], &err), 0);
	assert_string_equal(t.shelves[0].label, "x");
	assert_int_equal(conf_set(&table, "main", "size", "8K", &t, &err), -1);
	assert_string_equal(err.text, "there is no key main.size");
	assert_int_equal(conf_set(&table, "other", "size", "big", &t, &err), -1);
	assert_memory_equal(err.text, "other.size: 'big' is not", 24);
	conf_free(&table, "shelf", &t.shelves[0]);
	drop(&t);
}

TEST(reads_a_file_and_starts_relative_paths_at_its_folder)
{
	struct err err = { 0 };
	struct target t = { 0 };
	char file[200], want[200];
	FILE *out;

	snprintf(file, sizeof file, "%s/t.conf", unit_scratch());
	snprintf(want, sizeof want, "%.*s/data", (int)(strlen(file) - 7), file);
	out = fopen(file, "w");
	fputs("[main]\npath = data\n", out);
	fclose(out);
	assert_int_equal(conf_defaults(&table, &t, &err), 0);
	assert_int_equal(conf_read_file(&table, file, &t, &err), 0);
	assert_string_equal(t.path, want);
	assert_int_equal(conf_read_file(&table, "/nonexistent/t.conf", &t, &err), -1);
	assert_string_equal(err.text, "cannot open /nonexistent/t.conf: No such file or directory");
	assert_int_equal(conf_read_file(&table, "/dev/zero", &t, &err), -1);
	assert_string_equal(err.text, "/dev/zero is over 1 MB: it is no configuration");
	drop(&t);
}

TEST(the_sample_changes_nothing_with_or_without_its_hashes)
{
	struct target a = read_good(""), b;
	struct buf sample, bare;
	struct err err = { 0 };

	buf_init(&sample, 1 << 16);
	buf_init(&bare, 1 << 16);
	conf_sample(&table, &sample);
	assert_true(buf_ok(&sample));
	assert_int_equal(try_read((char *)sample.data, sample.len, &b, &err), 0);
	assert_int_equal(b.shelf_count, 0);
	drop(&b);
	for (size_t i = 0; i < sample.len; i++) /* "#key = value", "#[shelf NAME]" */
		if (!(sample.data[i] == '#' && i + 1 < sample.len && sample.data[i + 1] != ' '))
			buf_put_u8(&bare, sample.data[i]);
	if (try_read((char *)bare.data, bare.len, &b, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(a.path, b.path);
	assert_int_equal(a.size, b.size);
	assert_int_equal(b.shelf_count, 1);
	drop(&a);
	drop(&b);
	buf_fini(&sample);
	buf_fini(&bare);
}

TEST(the_markdown_has_a_row_for_every_key)
{
	struct buf out;

	buf_init(&out, 1 << 16);
	conf_markdown(&table, &out);
	buf_put_u8(&out, 0);
	assert_non_null(strstr((char *)out.data, "## [shelf NAME]\n"));
	assert_non_null(
		strstr((char *)out.data, "| `wait` | time, 0 to 1d | `1s` | The wait of it. |\n"));
	assert_non_null(strstr((char *)out.data,
		"| `choice` | one of red, green, blue | `green` | The choice of it. |\n"));
	buf_fini(&out);
}
