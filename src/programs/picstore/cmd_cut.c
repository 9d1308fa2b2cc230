/* cmd_cut.c - picstore cut: have a smaller picture made of a stored one. */
#include "net/frame_client.h"
#include "programs/picstore/commands.h"

#include <inttypes.h>

enum { CONNECT_MS = 2000, CALL_MS = 60000 };

/* Whole text: "200x150". */
static bool read_size(const char *text, uint32_t *width, uint32_t *height)
{
	int end = 0;

	return text[0] >= '0' && text[0] <= '9' &&
	       sscanf(text, "%9" SCNu32 "x%9" SCNu32 "%n", width, height, &end) == 2 && end > 0 &&
	       text[end] == '\0';
}

/* Whole text: "800x600+10-5", as X11 and ImageMagick write a place. */
static bool read_clip(const char *text, struct package_cut *cut)
{
	char sign_x, sign_y;
	int32_t x, y;
	int end = 0;

	if (text[0] < '0' || text[0] > '9' ||
		sscanf(text, "%9" SCNu32 "x%9" SCNu32 "%c%9" SCNd32 "%c%9" SCNd32 "%n",
			&cut->clip_w, &cut->clip_h, &sign_x, &x, &sign_y, &y, &end) != 6 ||
		end == 0 || text[end] != '\0' || x < 0 || y < 0 ||
		(sign_x != '+' && sign_x != '-') || (sign_y != '+' && sign_y != '-') ||
		cut->clip_w == 0 || cut->clip_h == 0)
		return false;
	cut->start_x = sign_x == '-' ? -x : x;
	cut->start_y = sign_y == '-' ? -y : y;
	return true;
}

static int call(struct frame_client *client, enum byte_order order, const char *id,
	struct package_cut *cut, struct package_item *made, struct err *err)
{
	struct buf body, reply;
	int result;

	if ((size_t)snprintf(cut->url.text, sizeof cut->url.text, "%s", id) >= sizeof cut->url.text)
		return err_set(err, ERR_BAD_ID, "it has more than %d characters", PACKAGE_URL_LEN);
	buf_init(&body, 1024);
	buf_init(&reply, 1024);
	package_cut_encode(&body, order, cut);
	result = frame_client_call(client,
		&(struct frame_call){
			.cmd = CMD_CUT,
			.body = buf_span(&body),
			.repeat = FRAME_REPEAT, /* the same cut is the same picture */
		},
		&reply, err);
	if (result == 0 && !package_item_decode(buf_span(&reply), order, made))
		result = err_set(err, ERR_CORRUPT, "the reply makes no sense");
	buf_fini(&body);
	buf_fini(&reply);
	return result;
}

/* Returns whether the picture was made. */
static bool cut_one(struct cli *cli, struct frame_client *client, const char *id,
	struct package_cut *cut, bool json)
{
	struct package_item made;
	struct err err = { 0 };
	bool good = call(client, (enum byte_order)cli_settings(cli)->byte_order, id, cut, &made,
			    &err) == 0;

	if (json) {
		json_t *line = json_object();

		if (good)
			json_object_set_new(line, "id", json_string(made.url.text));
		else
			cli_json_error(line, &err);
		json_object_set_new(line, "source", json_string(id));
		cli_json(line);
	} else if (good) {
		printf("%s\t%s\n", made.url.text, id);
	}
	if (!good)
		cli_say(cli, "%.180s: %s", id, err.text);
	return good;
}

static int cut_run(struct cli *cli, const struct args *args)
{
	const struct settings *settings = cli_settings(cli);
	const char *clip = args_value(args, "clip"), *server = args_value(args, "server");
	struct package_cut cut = { 0 };
	struct frame_client *client;
	struct cli_words ids;
	struct err err = { 0 };
	int status = CLI_OK;

	if (settings == NULL)
		return CLI_USAGE;
	if (!read_size(args->operands[0], &cut.thumb_w, &cut.thumb_h)) {
		cli_say(cli, "'%.40s' is not a size like 200x150", args->operands[0]);
		return CLI_USAGE;
	}
	if (clip != NULL && !read_clip(clip, &cut)) {
		cli_say(cli, "'%.40s' is not a rectangle like 800x600+10-5", clip);
		return CLI_USAGE;
	}
	client = frame_client_new(
		&(struct frame_client_conf){
			.address = server != NULL ? server : settings->proxy.listen,
			.order = (enum byte_order)settings->byte_order,
			.connect_ms = CONNECT_MS,
			.timeout_ms = CALL_MS,
		},
		&err);
	if (client == NULL)
		return cli_fail(cli, &err);
	cli_words_read(args, 1, &ids);
	for (size_t i = 0; i < ids.count; i++)
		if (!cut_one(cli, client, ids.items[i], &cut, args_has(args, "json")))
			status = CLI_FAILED;
	cli_words_fini(&ids);
	frame_client_free(client);
	return status;
}

static const struct arg_option options[] = {
	{ '\0', "clip", "WxH+X+Y", "this rectangle of it instead of the whole" },
	{ 's', "server", "ADDRESS", "admin_proxy or cut_svr (default: as configured)" },
	{ '\0', "json", NULL, "print a JSON object a line" },
	{ 0 },
};

const struct command command_cut = {
	.name = "cut",
	.operands = "WIDTHxHEIGHT ID...",
	.summary = "make smaller pictures of stored ones, or of a part of them",
	.about = "Prints NEW-ID<tab>ID.  The whole picture is fitted into the size and not "
		 "enlarged;\na rectangle becomes exactly of that size, white where it reaches "
		 "outside the picture\n(X and Y may be negative: 100x100-20-20).  With \"-\" as ID "
		 "the first word of each line of\nstdin is an id.",
	.options = options,
	.least = 2,
	.most = SIZE_MAX,
	.run = cut_run,
};
