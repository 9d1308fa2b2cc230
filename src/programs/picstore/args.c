#include "programs/picstore/args.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct arg_option args_common[] = {
	{ 'c', "config", "FILE",
		"the configuration (default: $PICSTORE_CONF, else that of the home, else "
		"installed)" },
	{ 'h', "help", NULL, "show this text" },
	{ 0 },
};

/* Option number `i` of a command: its own, then the common ones.  NULL behind the last. */
static const struct arg_option *option_at(const struct command *command, size_t i)
{
	size_t own = 0;

	while (command->options != NULL && command->options[own].name != NULL) {
		if (own == i)
			return &command->options[i];
		own++;
	}
	assert(own + 2 <= ARGS_OPTIONS_MAX);
	return i - own < 2 ? &args_common[i - own] : NULL;
}

/* How many letters have to be changed, put in or taken out; at most 9 is told. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32];
	size_t b_len = strlen(b);

	if (b_len + 1 > sizeof row / sizeof row[0] || strlen(a) > 31)
		return 9;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < b_len; j++) {
			unsigned change = diagonal + (a[i] != b[j]), best = row[j + 1] + 1;

			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j + 1] = change < best ? change : best;
		}
	}
	return row[b_len] < 9 ? row[b_len] : 9;
}

const char *args_nearest(const char *word, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	unsigned least = 3; /* more differences are another word */

	for (size_t i = 0; i < count; i++) {
		unsigned far = distance(word, names[i]);

		/* The beginning of a name stands for it, too. */
		if (strlen(word) > 1 && strncmp(word, names[i], strlen(word)) == 0)
			far = far < 1 ? far : 1;
		if (far < least && far < strlen(names[i])) {
			least = far;
			nearest = names[i];
		}
	}
	return nearest;
}

static int unknown_option(const struct command *command, const char *name, struct err *err)
{
	const char *names[ARGS_OPTIONS_MAX];
	const char *nearest;
	size_t count = 0;

	while (option_at(command, count) != NULL) {
		names[count] = option_at(command, count)->name;
		count++;
	}
	nearest = args_nearest(name, names, count);
	if (nearest != NULL)
		return err_set(err, ERR_BAD_REQUEST, "unknown option --%.40s; did you mean --%s?",
			name, nearest);
	return err_set(err, ERR_BAD_REQUEST, "unknown option --%.40s; see \"picstore help %s\"",
		name, command->name);
}

/* "--name" or "--name=value"; the value may be the next word. */
static int parse_long(struct args *args, const char *word, char *const **next, struct err *err)
{
	const char *equals = strchr(word, '=');
	size_t len = equals == NULL ? strlen(word) : (size_t)(equals - word);
	const struct arg_option *option;
	char name[41];

	for (size_t i = 0; (option = option_at(args->command, i)) != NULL; i++) {
		if (strlen(option->name) != len || strncmp(option->name, word, len) != 0)
			continue;
		if (option->value == NULL && equals != NULL)
			return err_set(err, ERR_BAD_REQUEST, "--%s takes no value", option->name);
		if (option->value == NULL)
			args->values[i] = "";
		else if (equals != NULL)
			args->values[i] = equals + 1;
		else if (**next != NULL)
			args->values[i] = *(*next)++;
		else
			return err_set(err, ERR_BAD_REQUEST, "--%s needs a value: %s", option->name,
				option->value);
		return 0;
	}
	snprintf(name, sizeof name, "%.*s", (int)(len < 40 ? len : 40), word);
	return unknown_option(args->command, name, err);
}

/* Letters behind one dash; the last may have a value, in the word or behind it. */
static int parse_short(struct args *args, const char *word, char *const **next, struct err *err)
{
	for (; *word != '\0'; word++) {
		const struct arg_option *option;
		size_t i = 0;

		while ((option = option_at(args->command, i)) != NULL && option->letter != *word)
			i++;
		if (option == NULL)
			return err_set(err, ERR_BAD_REQUEST,
				"unknown option -%c; see \"picstore help %s\"", *word,
				args->command->name);
		if (option->value == NULL) {
			args->values[i] = "";
			continue;
		}
		if (word[1] != '\0')
			args->values[i] = word + 1;
		else if (**next != NULL)
			args->values[i] = *(*next)++;
		else
			return err_set(err, ERR_BAD_REQUEST, "-%c needs a value: %s",
				option->letter, option->value);
		return 0;
	}
	return 0;
}

static int check_count(const struct args *args, struct err *err)
{
	const struct command *command = args->command;

	if (args->count < command->least)
		return err_set(err, ERR_BAD_REQUEST, "%s is missing; see \"picstore help %s\"",
			command->operands, command->name);
	if (args->count > command->most)
		return err_set(err, ERR_BAD_REQUEST,
			"'%.60s' is too much; see \"picstore help %s\"",
			args->operands[command->most], command->name);
	return 0;
}

int args_parse(const struct command *command, int argc, char *const *argv, struct args *args,
	struct err *err)
{
	char *const *next = argv;
	bool only_operands = false;

	*args = (struct args){ .command = command };
	args->operands = calloc((size_t)argc + 1, sizeof args->operands[0]);
	if (args->operands == NULL)
		abort();
	while (*next != NULL) {
		char *word = *next++;
		int result = 0;

		if (only_operands || word[0] != '-' || word[1] == '\0')
			args->operands[args->count++] = word;
		else if (strcmp(word, "--") == 0)
			only_operands = true;
		else if (word[1] == '-')
			result = parse_long(args, word + 2, &next, err);
		else
			result = parse_short(args, word + 1, &next, err);
		if (result < 0)
			goto fail;
	}
	if (!args_has(args, "help") && check_count(args, err) < 0)
		goto fail;
	return 0;
fail:
	args_fini(args);
	return -1;
}

void args_fini(struct args *args)
{
	free(args->operands);
	args->operands = NULL;
	args->count = 0;
}

const char *args_value(const struct args *args, const char *name)
{
	const struct arg_option *option;

	for (size_t i = 0; (option = option_at(args->command, i)) != NULL; i++)
		if (strcmp(option->name, name) == 0)
			return args->values[i];
	assert(!"an option that the command does not have");
	return NULL;
}

bool args_has(const struct args *args, const char *name)
{
	return args_value(args, name) != NULL;
}

int args_number(const struct args *args, const char *name, int64_t min, int64_t max,
	int64_t fallback, int64_t *out, struct err *err)
{
	const char *text = args_value(args, name);
	long long value;
	char *end;

	*out = fallback;
	if (text == NULL)
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < min ||
		value > max)
		return err_set(err, ERR_BAD_REQUEST,
			"--%s: '%.40s' is not a number from %lld to %lld", name, text,
			(long long)min, (long long)max);
	*out = value;
	return 0;
}

int args_seconds(const struct args *args, const char *name, int64_t max, int64_t fallback,
	int64_t *out, struct err *err)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const char *text = args_value(args, name);
	long long value;
	char *end;

	*out = fallback;
	if (text == NULL)
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (text[0] >= '0' && text[0] <= '9' && errno == 0 && *end == units[i].unit &&
			end[1] == '\0' && value > 0 && value <= max / units[i].seconds) {
			*out = value * units[i].seconds;
			return 0;
		}
	}
	return err_set(err, ERR_BAD_REQUEST,
		"--%s: '%.40s' is not a time like 90s, 15m or 1h, of at most %lldh", name, text,
		(long long)max / 3600);
}

static void help_options(const struct arg_option *options, FILE *to)
{
	for (; options != NULL && options->name != NULL; options++) {
		char left[64], letter[5] = "    ";

		if (options->letter != '\0')
			snprintf(letter, sizeof letter, "-%c, ", options->letter);
		snprintf(left, sizeof left, "%s--%s%s%s", letter, options->name,
			options->value == NULL ? "" : " ",
			options->value == NULL ? "" : options->value);
		fprintf(to, "  %-24s %s\n", left, options->help);
	}
}

void args_help(const struct command *command, FILE *to)
{
	fprintf(to, "usage: picstore %s [options]%s%s\n\n%s\n", command->name,
		command->operands[0] == '\0' ? "" : " ", command->operands, command->summary);
	if (command->about != NULL)
		fprintf(to, "\n%s\n", command->about);
	fputs("\noptions:\n", to);
	help_options(command->options, to);
	help_options(args_common, to);
}
