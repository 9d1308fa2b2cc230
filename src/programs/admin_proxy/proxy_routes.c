#include "programs/admin_proxy/proxy_routes.h"

#include "wire/package.h"

#include <assert.h>

/* Each is one command, or a block of them. */
static const struct {
	uint16_t first, last;
	struct proxy_route route;
} table[] = {
	{ CMD_DELETE_LATER, CMD_DELETE_LATER, { PROXY_DELETE_LATER, true } },
	{ CMD_CUT, CMD_CUT, { PROXY_CUT, true } },
	{ CMD_DELETE_NOW, CMD_DELETE_NOW, { PROXY_DELETE_NOW, true } },
	{ CMD_SESSION, CMD_SESSION, { PROXY_SESSION, false } },
	{ 0x10C0, 0x10C0, { PROXY_METADATA, false } },
	{ 0x10C1, 0x10C4, { PROXY_METADATA, true } },
	{ 0x10C5, 0x10C7, { PROXY_METADATA, false } },
	{ 0x10C8, 0x10C9, { PROXY_METADATA, true } },
	{ 0x10CA, 0x10CA, { PROXY_METADATA, false } },
	{ 0x10CB, 0x10CC, { PROXY_METADATA, true } },
	{ 0x10CD, 0x10DF, { PROXY_METADATA, false } },
};

enum { ROWS = sizeof table / sizeof table[0] };

bool proxy_route(uint16_t cmd, struct proxy_route *route)
{
	for (size_t i = 0; i < ROWS; i++)
		if (cmd >= table[i].first && cmd <= table[i].last) {
			*route = table[i].route;
			return true;
		}
	return false;
}

size_t proxy_route_commands(uint16_t out[PROXY_COMMANDS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < ROWS; i++)
		for (unsigned cmd = table[i].first; cmd <= table[i].last; cmd++) {
			assert(count < PROXY_COMMANDS_MAX);
			out[count++] = (uint16_t)cmd;
		}
	return count;
}

const char *proxy_service_name(enum proxy_service service)
{
	static const char *const names[PROXY_SERVICES] = {
		[PROXY_CUT] = "cut_svr",
		[PROXY_DELETE_LATER] = "del_svr",
		[PROXY_DELETE_NOW] = "cs_del_svr",
		[PROXY_SESSION] = "sess_check_svr",
		[PROXY_METADATA] = "metadata_dbsvr",
	};

	return names[service];
}
