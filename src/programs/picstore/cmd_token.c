/* cmd_token.c - picstore token: mint a session key, which lets its holder upload. */
#include "core/clock.h"
#include "programs/picstore/commands.h"
#include "programs/picstore/key_mint.h"

#include <arpa/inet.h>
#include <inttypes.h>

/* One field that is a whole number. */
static int field(const struct args *args, const char *name, uint32_t *out, struct err *err)
{
	int64_t value;

	if (args_number(args, name, 0, UINT32_MAX, 0, &value, err) < 0)
		return -1;
	*out = (uint32_t)value;
	return 0;
}

static int token_run(struct cli *cli, const struct args *args)
{
	const char *ip = args_value(args, "ip");
	struct upload_key key = { .is_head = args_has(args, "head") };
	char text[UPLOAD_KEY_JWT_MAX + 1], when[32];
	const struct settings *settings;
	enum key_form form;
	int64_t lifetime, max_age;
	struct err err;

	if (field(args, "uid", &key.uid, &err) < 0 ||
		field(args, "album", &key.albumid, &err) < 0 ||
		field(args, "channel", &key.channel, &err) < 0 ||
		field(args, "width", &key.max_width, &err) < 0 ||
		field(args, "height", &key.max_height, &err) < 0)
		return cli_fail(cli, &err);
	if (ip != NULL && inet_pton(AF_INET, ip, key.ip) != 1) {
		cli_say(cli, "--ip: '%.40s' is not an IPv4 address", ip);
		return CLI_USAGE;
	}
	if (args_has(args, "jwt") && args_has(args, "des")) {
		cli_say(cli, "--jwt and --des are two forms of a key: choose one");
		return CLI_USAGE;
	}
	settings = cli_settings(cli);
	if (settings == NULL)
		return CLI_USAGE;
	form = args_has(args, "des") || (!args_has(args, "jwt") && !settings->keys_jwt) ? KEY_DES
											: KEY_JWT;
	max_age = settings->key_max_age / 1000;
	if (args_seconds(args, "expires", INT64_C(86400) * 3660, max_age, &lifetime, &err) < 0)
		return cli_fail(cli, &err);
	if (form == KEY_DES && args_has(args, "expires")) {
		cli_say(cli,
			"--expires is for JWT: a DES key is good for key_max_age, %" PRId64 " s",
			max_age);
		return CLI_USAGE;
	}
	if (key_mint(settings, form, &key, lifetime, text, &err) < 0)
		return cli_fail(cli, &err);
	if (args_has(args, "json")) {
		json_t *line = json_object();

		cli_time(clock_unix() + lifetime, true, when);
		json_object_set_new(line, "session_key", json_string(text));
		json_object_set_new(line, "form", json_string(form == KEY_DES ? "des" : "jwt"));
		json_object_set_new(line, "expires", json_string(when));
		cli_json(line);
	} else {
		puts(text);
	}
	return CLI_OK;
}

static const struct arg_option options[] = {
	{ 'u', "uid", "N", "user number (default: 0)" },
	{ 'a', "album", "N", "album number (default: 0)" },
	{ '\0', "channel", "N", "channel number (default: 0)" },
	{ '\0', "ip", "ADDRESS", "IPv4 address of the client" },
	{ '\0', "width", "N", "greatest width in pixels (default: any)" },
	{ '\0', "height", "N", "greatest height in pixels (default: any)" },
	{ '\0', "head", NULL, "the picture is to be the user's head" },
	{ '\0', "expires", "TIME", "lifetime, as 15m or 2d (default: key_max_age)" },
	{ '\0', "jwt", NULL, "a token (default, unless the configuration forbids it)" },
	{ '\0', "des", NULL, "a key of the old form; fields of 16 bits" },
	{ '\0', "json", NULL, "print a JSON object" },
	{ 0 },
};

const struct command command_token = {
	.name = "token",
	.operands = "",
	.summary = "mint a session key for an upload",
	.about = "The secrets are read from secret_dir, so only who may read them can mint.",
	.options = options,
	.least = 0,
	.most = 0,
	.run = token_run,
};
