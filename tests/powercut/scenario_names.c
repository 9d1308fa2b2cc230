/* scenario_names.c - slaves, appenders and metadata in names.db. */
#include "chain.h"

#include "store/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 5, CONTENT_MAX = 150000, SIZE_MAX_HERE = 1 << 20, LISTED_MAX = 40 };

#define MASTER "M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg"

struct state {
	enum { NONE, APPENDER, FINISHED } files[FILES];
	bool slaves[FILES];
};

static void *open_names(struct err *err)
{
	return names_open("/store", false, fixed_now, err);
}

static void close_names(void *names)
{
	names_close(names);
}

static const char *name_of(const char *kind, unsigned number)
{
	static char text[FILE_ID_NAME_MAX + 1];

	snprintf(text, sizeof text, "M00/00/00/%s-%u", kind, number);
	return text;
}

static void make_name(void *context, uint64_t size, uint32_t crc, char *out)
{
	(void)size;
	(void)crc;
	strcpy(out, name_of("finished", *(unsigned *)context));
}

static int edit(void *context, struct span old, struct buf *out, struct err *err)
{
	struct dice *dice = context;
	char text[60];

	(void)err;
	if (dice_roll(dice, 5) == 0)
		return 0; /* an empty one */
	snprintf(text, sizeof text, "width\002%u\001", dice_roll(dice, 10000));
	if (old.len < 2000)
		buf_put_span(out, old);
	buf_put_str(out, text);
	return 0;
}

static int change_slave(
	struct names *names, struct state *state, unsigned at, struct span content, struct err *err)
{
	const char *name = name_of("slave", at);
	struct names_new new = { name, MASTER, content };
	int result = state->slaves[at] ? names_remove(names, name, err)
				       : names_create(names, &new, err);

	if (result == 0)
		state->slaves[at] = !state->slaves[at];
	return result;
}

static int change_appender(struct names *names, struct state *state, unsigned at,
	struct span content, struct dice *dice, struct err *err)
{
	const char *name = name_of("appender", at);
	struct names_stat stat;
	int result;

	if (names_stat(names, name, &stat, err) != 0)
		return -1;
	switch (dice_roll(dice, 5)) {
	case 0:
		return names_truncate(
			names, name, dice_roll(dice, stat.size + 70000), SIZE_MAX_HERE, err);
	case 1:
		return names_modify(
			names, name, dice_roll(dice, stat.size + 1), content, SIZE_MAX_HERE, err);
	case 2:
		result = names_finish(names, name, make_name, &at, err);
		if (result == 0)
			state->files[at] = FINISHED;
		return result;
	default:
		return names_append(names, name, content, SIZE_MAX_HERE, err);
	}
}

static int change_file(struct names *names, struct state *state, unsigned at, struct span content,
	struct dice *dice, struct err *err)
{
	struct names_new new = { name_of("appender", at), NULL, content };
	int result;

	if (state->files[at] == APPENDER)
		return change_appender(names, state, at, content, dice, err);
	result = state->files[at] == NONE ? names_create(names, &new, err)
					  : names_remove(names, name_of("finished", at), err);
	if (result == 0)
		state->files[at] = state->files[at] == NONE ? APPENDER : NONE;
	return result;
}

static int step(void *names, void *state, unsigned number, struct dice dice, struct err *err)
{
	static uint8_t bytes[CONTENT_MAX];
	size_t len = 1 + dice_roll(&dice, dice_roll(&dice, 4) == 0 ? CONTENT_MAX : 3000);
	unsigned at = dice_roll(&dice, FILES);

	(void)number;
	if (len > sizeof bytes)
		len = sizeof bytes;
	fill_bytes(bytes, len, dice_bits(&dice));
	switch (dice_roll(&dice, 4)) {
	case 0:
		return names_edit_metadata(names, name_of("picture", at), false, edit, &dice, err);
	case 1:
		return change_slave(names, state, at, span_of(bytes, len), err);
	default:
		return change_file(names, state, at, span_of(bytes, len), &dice, err);
	}
}

struct listed {
	size_t count;
	struct {
		char name[FILE_ID_NAME_MAX + 1];
		bool is_file;
		struct names_stat stat;
	} names[LISTED_MAX];
};

static bool add_listed(void *context, const char *name, const struct names_stat *stat)
{
	struct listed *listed = context;

	assert(listed->count < LISTED_MAX);
	strcpy(listed->names[listed->count].name, name);
	listed->names[listed->count].is_file = stat != NULL;
	if (stat != NULL)
		listed->names[listed->count].stat = *stat;
	listed->count++;
	return true;
}

static void add_slave(void *context, const char *slave)
{
	uint64_t *sum = context;

	*sum += sum_bytes(1, slave, strlen(slave)); /* in any order */
}

static int sum_names(void *names, const void *state, uint64_t *sum, struct err *err)
{
	static struct listed listed;
	int result;

	(void)state;
	listed.count = 0;
	*sum = 1;
	if (names_walk(names, add_listed, &listed, err) != 0)
		return -1;
	for (size_t i = 0; i < listed.count; i++) {
		const char *name = listed.names[i].name;
		struct buf buf;

		*sum = sum_bytes(*sum, name, strlen(name));
		buf_init(&buf, SIZE_MAX_HERE);
		if (listed.names[i].is_file) {
			*sum = sum_number(*sum, listed.names[i].stat.size);
			*sum = sum_number(*sum, listed.names[i].stat.crc);
			result = names_read(names, name, 0, SIZE_MAX_HERE, &buf, err);
			if (result == 0 && buf.len != listed.names[i].stat.size)
				broken("%s has another size", name);
		} else {
			result = names_metadata(names, name, &buf, err);
		}
		*sum = sum_bytes(*sum, buf.data, buf.len);
		buf_fini(&buf);
		if (result != 0)
			return -1;
	}
	return names_slaves(names, MASTER, add_slave, sum, err);
}

static const struct chain_ops ops = {
	.file = "names.db",
	.open = open_names,
	.close = close_names,
	.step = step,
	.sum = sum_names,
	.state_size = sizeof(struct state),
};

static void *names_begin(uint64_t seed)
{
	return chain_begin(&ops, seed);
}

const struct scenario scenario_names = {
	.name = "names",
	.share = 15,
	.begin = names_begin,
	.live = chain_live,
	.end = chain_end,
	.recover = chain_recover,
	.check = chain_check,
};
