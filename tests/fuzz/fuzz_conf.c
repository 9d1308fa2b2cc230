/* What the ini reader refuses it refuses with file and line; what it takes it takes
 * again in the same way, whatever line ends and byte order mark it comes with. */
#include "core/buf.h"
#include "core/conf.h"

#include <assert.h>
#include <string.h>

struct target {
	char *text, *path, *address;
	bool flag;
	int64_t number, size, duration, mode, choice;
	struct conf_list list, paths;
	struct target *named;
};

#define KEY(name, type, value)                                                                     \
	{                                                                                          \
		"main", #name, type, offsetof(struct target, name), value, 0, 0, "a|b", "help"     \
	}

static const struct conf_key keys[] = {
	KEY(text, CONF_TEXT, ""),
	KEY(path, CONF_PATH, "/a"),
	KEY(address, CONF_ADDRESS, "a:1"),
	KEY(flag, CONF_BOOL, "no"),
	KEY(number, CONF_INT, "-7"),
	KEY(size, CONF_SIZE, "1K"),
	KEY(duration, CONF_DURATION, "1s"),
	KEY(mode, CONF_MODE, "660"),
	KEY(choice, CONF_CHOICE, "a"),
	KEY(list, CONF_LIST, "a b"),
	KEY(paths, CONF_PATHS, "/a /b"),
	{ "named", "text", CONF_TEXT, offsetof(struct target, text), "", 0, 0, NULL, "help" },
};
static const char *const named[] = { "named", NULL };

static void *instance(void *target, const char *section, const char *name, struct err *err)
{
	static struct target one;

	assert(strcmp(section, "named") == 0 && name[0] != '\0');
	if (((struct target *)target)->named != NULL) {
		err_set(err, ERR_CONFIG, "one is enough");
		return NULL;
	}
	return ((struct target *)target)->named = &one;
}

static const struct conf_table table = { keys, sizeof keys / sizeof keys[0], instance, named };

static int read_once(const void *text, size_t len, struct target *target, struct err *err)
{
	int result;

	memset(target, 0, sizeof *target);
	assert(conf_defaults(&table, target, err) == 0);
	result = conf_read_text(&table, "/etc/x.conf", text, len, target, err);
	assert(result == 0 ||
		(err->code == ERR_CONFIG && strncmp(err->text, "/etc/x.conf:", 12) == 0));
	assert(target->path[0] == '/' && strstr(target->path, "/../") == NULL);
	return result;
}

static void drop(struct target *target)
{
	conf_free(&table, NULL, target);
	if (target->named != NULL)
		conf_free(&table, "named", target->named);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target a, b;
	struct err err_a, err_b;
	struct buf other;
	int result;

	buf_init(&other, 2 * size + 3);
	if (size < 3 || memcmp(data, "\xef\xbb\xbf", 3) != 0)
		buf_put(&other, "\xef\xbb\xbf", 3);
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r'))
			buf_put_u8(&other, '\r');
		buf_put_u8(&other, data[i]);
	}
	result = read_once(data, size, &a, &err_a);
	assert(read_once(other.data, other.len, &b, &err_b) == result);
	if (result == 0) {
		assert(strcmp(a.text, b.text) == 0 && strcmp(a.path, b.path) == 0);
		assert(a.number == b.number && a.list.count == b.list.count);
	} else {
		assert(strcmp(err_a.text, err_b.text) == 0);
	}
	drop(&a);
	drop(&b);
	buf_fini(&other);
	return 0;
}
