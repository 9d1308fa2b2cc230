/* cmd_session.c - picstore session: how often a session key was used. */
#include "programs/picstore/commands.h"
#include "session/session_check.h"

#include <inttypes.h>

/* Who counts: the service that upload.cgi asks, else the one of this machine. */
static const char *server_of(const struct args *args, const struct settings *settings)
{
	const char *server = args_value(args, "server");

	if (server != NULL)
		return server;
	return settings->session_check[0] != '\0' ? settings->session_check
						  : settings->sess_check.listen;
}

/* Returns whether the service answered. */
static bool ask(
	struct cli *cli, const struct args *args, struct session_check *check, const char *key)
{
	json_t *line = args_has(args, "json") ? json_object() : NULL;
	uint32_t used, left;
	struct err err = { 0 };
	int result = session_check_call(
		check, span_str(key), 0, args_has(args, "use"), &used, &left, &err);

	if (line != NULL) {
		json_object_set_new(line, "session_key", json_string(key));
		if (result == 0) {
			json_object_set_new(line, "used", json_integer(used));
			json_object_set_new(line, "left", json_integer(left));
		} else {
			cli_json_error(line, &err);
		}
		cli_json(line);
	} else if (result == 0) {
		printf("%" PRIu32 "\t%" PRIu32 "\t%s\n", used, left, key);
	}
	if (result != 0 && line == NULL)
		cli_say(cli, "%.60s: %s", key, err.text);
	return result == 0;
}

static int session_run(struct cli *cli, const struct args *args)
{
	const struct settings *settings = cli_settings(cli);
	struct session_check *check;
	struct cli_words keys;
	int status = CLI_OK;
	struct err err;

	if (settings == NULL)
		return CLI_USAGE;
	check = session_check_new(settings, server_of(args, settings), &err);
	if (check == NULL)
		return cli_fail(cli, &err);
	cli_words_read(args, 0, &keys);
	for (size_t i = 0; i < keys.count; i++)
		if (!ask(cli, args, check, keys.items[i]))
			status = CLI_FAILED;
	cli_words_fini(&keys);
	session_check_free(check);
	return status;
}

static const struct arg_option options[] = {
	{ 's', "server", "ADDRESS", "sess_check_svr or admin_proxy (default: as configured)" },
	{ '\0', "use", NULL, "count a use" },
	{ '\0', "json", NULL, "print a JSON object for each key" },
	{ 0 },
};

const struct command command_session = {
	.name = "session",
	.operands = "KEY...",
	.summary = "tell how often a session key was used",
	.about = "Prints USED<tab>LEFT<tab>KEY.",
	.options = options,
	.least = 1,
	.most = SIZE_MAX,
	.run = session_run,
};
