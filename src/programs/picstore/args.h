/* args.h - sub-commands, their options and help, from one table.
 *
 * A struct command says all there is to say about a sub-command: how it is called, with
 * which options, what it does.  Parsing, "picstore help", shell completion and the man
 * page's list follow from it.
 *
 * Options may stand anywhere before "--": -j4, -j 4, --jobs 4, --jobs=4, -fj4. */
#pragma once

#include "core/err.h"

#include <stdint.h>
#include <stdio.h>

enum { ARGS_OPTIONS_MAX = 24 };

struct arg_option {
	char letter;       /* '\0': none */
	const char *name;  /* without dashes; NULL ends a list */
	const char *value; /* what stands for its value in help; NULL: a switch */
	const char *help;
};

struct cli;
struct args;

struct command {
	const char *name;
	const char *operands; /* as in help: "ID..." */
	const char *summary;  /* a line */
	const char *about;    /* more for its help, lines of text, or NULL */
	const struct arg_option *options;
	size_t least, most; /* operands */
	/* Returns the exit status: 0 done, 1 failed, 2 wrong use. */
	int (*run)(struct cli *cli, const struct args *args);
};

/* The options that every sub-command takes. */
extern const struct arg_option args_common[];

struct args {
	const struct command *command;
	const char *values[ARGS_OPTIONS_MAX]; /* by option; NULL: not given; "": a switch */
	char **operands;
	size_t count;
};

/* Read the words behind the sub-command's name.  The values point into `argv`.  Returns
 * 0, or -1 with ERR_BAD_REQUEST and a sentence that helps.  With --help the operands are
 * not counted. */
int args_parse(const struct command *command, int argc, char *const *argv, struct args *args,
	struct err *err);
void args_fini(struct args *args);

/* `name` is one of the command's options or of the common ones. */
bool args_has(const struct args *args, const char *name);
const char *args_value(const struct args *args, const char *name); /* NULL: not given */

/* The value as a whole number; `fallback` if it was not given. */
int args_number(const struct args *args, const char *name, int64_t min, int64_t max,
	int64_t fallback, int64_t *out, struct err *err);

/* The same for a time like 90s, 15m, 1h or 2d, in seconds. */
int args_seconds(const struct args *args, const char *name, int64_t max, int64_t fallback,
	int64_t *out, struct err *err);

/* The name that `word` was likely meant to be, or NULL. */
const char *args_nearest(const char *word, const char *const *names, size_t count);

/* Write the command's help. */
void args_help(const struct command *command, FILE *to);
