/* cli.h - what the sub-commands of picstore share.
 *
 * Results go to stdout, one a line, so that they can be piped on; everything else goes
 * to stderr.  With --json every line of stdout is one JSON object. */
#pragma once

#include "core/buf.h"
#include "fdfs/client.h"
#include "programs/picstore/args.h"
#include "service/settings.h"

#include <jansson.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli {
	const char *config; /* --config, or NULL */
	struct settings *settings;
	struct fdfs_client *client;
	const char *command; /* for messages */
};

/* The configuration, read at the first call; NULL, and a message, if it is wrong. */
const struct settings *cli_settings(struct cli *cli);

/* A client of the configured trackers, made at the first call; NULL and a message if
 * that fails. */
struct fdfs_client *cli_client(struct cli *cli);
void cli_fini(struct cli *cli);

/* Print "picstore COMMAND: ..." on stderr. */
void cli_say(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for an error; returns the exit status that fits it: 2 for ERR_CONFIG and
 * ERR_BAD_REQUEST, else 1. */
int cli_fail(const struct cli *cli, const struct err *err);

/* Print one line of JSON and take over `object`. */
void cli_json(json_t *object);

/* {"error": word, "message": sentence} into `object`. */
void cli_json_error(json_t *object, const struct err *err);

/* The ids that operands name.  "-" is replaced by the first word of each line of stdin,
 * so that what put and ls print can be piped on.  Fills `*out`, which the caller frees,
 * with what stands there: whether they are ids is not checked. */
struct cli_words {
	char **items;
	size_t count;
};

void cli_words_read(const struct args *args, size_t from, struct cli_words *out);
void cli_words_fini(struct cli_words *words);

/* "2019-01-30 02:53:45 UTC", or with T and Z in JSON. */
void cli_time(int64_t unix_s, bool json, char out[32]);
