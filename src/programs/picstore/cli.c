#include "programs/picstore/cli.h"

#include "programs/picstore/jobs.h"
#include "programs/picstore/up_place.h"
#include "service/store_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What --config names; without it and $PICSTORE_CONF that of the home that "picstore up"
 * would take, if there is one.  NULL: settings_load knows. */
static const char *which_config(const struct cli *cli, struct up_place *place)
{
	struct err ignored;

	if (cli->config != NULL || getenv("PICSTORE_CONF") != NULL)
		return cli->config;
	if (up_place_find(place, NULL, &ignored) < 0 || access(place->conf, F_OK) != 0)
		return NULL;
	return place->conf;
}

const struct settings *cli_settings(struct cli *cli)
{
	struct up_place place;
	struct err err;

	if (cli->settings == NULL) {
		cli->settings = settings_load(which_config(cli, &place), &err);
		if (cli->settings == NULL)
			cli_fail(cli, &err);
	}
	return cli->settings;
}

struct fdfs_client *cli_client(struct cli *cli)
{
	const struct settings *settings = cli_settings(cli);
	struct fdfs_client_conf conf;
	struct err err;

	if (settings == NULL || cli->client != NULL)
		return cli->client;
	conf = store_client_conf(settings, 1 << 30, JOBS_MAX);
	cli->client = fdfs_client_new(&conf, &err);
	if (cli->client == NULL)
		cli_fail(cli, &err);
	return cli->client;
}

void cli_fini(struct cli *cli)
{
	fdfs_client_free(cli->client);
	settings_free(cli->settings);
	*cli = (struct cli){ 0 };
}

void cli_say(const struct cli *cli, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	/* Paths and answers may hold anything; a terminal is to show it, not to obey it. */
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "picstore%s%s: %s\n", cli->command == NULL ? "" : " ",
		cli->command == NULL ? "" : cli->command, text);
}

int cli_fail(const struct cli *cli, const struct err *err)
{
	cli_say(cli, "%s", err->text);
	return err->code == ERR_CONFIG || err->code == ERR_BAD_REQUEST ? CLI_USAGE : CLI_FAILED;
}

void cli_json(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6));

	if (text == NULL)
		abort();
	puts(text);
	free(text);
	json_decref(object);
}

void cli_json_error(json_t *object, const struct err *err)
{
	json_object_set_new(object, "error", json_string(err_word(err->code)));
	json_object_set_new(object, "message", json_string(err->text));
}

static void words_add(struct cli_words *words, const char *word, size_t len)
{
	char **items = realloc(words->items, (words->count + 1) * sizeof items[0]);

	if (items == NULL || (items[words->count] = strndup(word, len)) == NULL)
		abort();
	words->items = items;
	words->count++;
}

void cli_words_read(const struct args *args, size_t from, struct cli_words *out)
{
	*out = (struct cli_words){ 0 };
	for (size_t i = from; i < args->count; i++) {
		char *line = NULL;
		size_t cap = 0;

		if (strcmp(args->operands[i], "-") != 0) {
			words_add(out, args->operands[i], strlen(args->operands[i]));
			continue;
		}
		while (getline(&line, &cap, stdin) >= 0) {
			size_t len = strcspn(line, " \t\r\n");

			if (len > 0)
				words_add(out, line, len);
		}
		free(line);
	}
}

void cli_words_fini(struct cli_words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct cli_words){ 0 };
}

void cli_time(int64_t unix_s, bool json, char out[32])
{
	time_t when = (time_t)unix_s;
	struct tm utc;

	out[0] = '\0';
	if (gmtime_r(&when, &utc) != NULL)
		strftime(out, 32, json ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d %H:%M:%S UTC", &utc);
}
