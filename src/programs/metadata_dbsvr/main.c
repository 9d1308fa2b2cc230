/* metadata_dbsvr - photos and albums: whose, when, which name and size, and where in the
 * store.
 *
 * Changes are on the disk before they are answered; many share one wait for it. */
#include "programs/metadata_dbsvr/metadata.h"
#include "service/reach.h"

static const struct frame_command commands[] = {
	{ CMD_PHOTO_PUT, "put" },
	{ CMD_PHOTO_GET, "get" },
	{ CMD_PHOTO_GET_URL, "get by url" },
	{ CMD_PHOTO_LIST_ALBUM, "list album" },
	{ CMD_PHOTO_LIST_USER, "list user" },
	{ CMD_PHOTO_RENAME, "rename" },
	{ CMD_PHOTO_MOVE, "move" },
	{ CMD_PHOTO_DELETE, "delete" },
	{ CMD_PHOTO_COUNT, "count" },
	{ CMD_PHOTO_SEARCH, "search" },
	{ CMD_PHOTO_SETTLE, "settle" },
	{ CMD_PHOTO_ALBUMS, "albums" },
	{ CMD_PHOTO_LIST_ALL, "list all" },
};

static const struct frame_service metadata_dbsvr = {
	.name = "metadata_dbsvr",
	.summary = "keeps what is known of photos and albums",
	.commands = commands,
	.command_count = sizeof commands / sizeof commands[0],
	.counters = metadata_counters,
	.counter_count = METADATA_FIGURES,
	.reach = REACH_NETWORK | REACH_STORES | REACH_METADATA,
	.settings = offsetof(struct settings, metadata),
	.any_order = false,
	.open = metadata_open,   /* the database is opened, threads are started */
	.begin = metadata_begin, /* put into one of two queues: to change, to read */
	.close = metadata_close,
};

int main(int argc, char **argv)
{
	return frame_main(&metadata_dbsvr, argc, argv);
}
