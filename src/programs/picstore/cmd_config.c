/* cmd_config.c - picstore config: the settings table as a file, as a page, or checked. */
#include "programs/picstore/commands.h"

#include <string.h>

static const char page_head[] =
	"# Configuration\n\n"
	"One ini file configures every program of an installation: `etc/picstore.conf`, or\n"
	"what `$PICSTORE_CONF` or `--config` names. Unknown keys and values out of range are\n"
	"refused with file and line; `picstore config check` does nothing but that. Sizes take\n"
	"K, M, G, T (powers of 1024), times need a unit (ms, s, m, h, d). A relative path is\n"
	"relative to the file's own folder. `[storage NAME]` may stand several times, once for\n"
	"each storage_server of the machine.\n\n"
	"This page is what `picstore config markdown` prints.\n\n";

static int print(struct cli *cli, const struct buf *text)
{
	if (!buf_ok(text) || fwrite(text->data, 1, text->len, stdout) != text->len) {
		cli_say(cli, "cannot write to stdout");
		return CLI_FAILED;
	}
	return CLI_OK;
}

static int check(struct cli *cli)
{
	const struct settings *settings = cli_settings(cli);

	if (settings == NULL)
		return CLI_USAGE;
	printf("%s is right: %zu storage%s, %zu tracker%s, %zu cache%s\n", settings->file,
		settings->storage_count, settings->storage_count == 1 ? "" : "s",
		settings->tracker_server.count, settings->tracker_server.count == 1 ? "" : "s",
		settings->varnish.count, settings->varnish.count == 1 ? "" : "s");
	return CLI_OK;
}

static int config_run(struct cli *cli, const struct args *args)
{
	const char *what = args->operands[0];
	struct buf text;
	int status;

	if (strcmp(what, "check") == 0)
		return check(cli);
	buf_init(&text, 1 << 20);
	if (strcmp(what, "sample") == 0) {
		conf_sample(&settings_table, &text);
		status = print(cli, &text);
	} else if (strcmp(what, "markdown") == 0) {
		buf_put_str(&text, page_head);
		conf_markdown(&settings_table, &text);
		status = print(cli, &text);
	} else {
		cli_say(cli, "'%.40s' is none of sample, markdown, check", what);
		status = CLI_USAGE;
	}
	buf_fini(&text);
	return status;
}

const struct command command_config = {
	.name = "config",
	.operands = "sample|markdown|check",
	.summary = "print a sample configuration or its documentation, or check one",
	.least = 1,
	.most = 1,
	.run = config_run,
};
