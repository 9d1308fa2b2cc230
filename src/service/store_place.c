#include "service/store_place.h"

#include "core/address.h"
#include "net/sockaddr.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { STORE_AUTO, STORE_HERE };

static bool is_wildcard(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool is_loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
	       strcmp(host, "::1") == 0;
}

/* An address that can be bound to is one of this machine. */
static bool is_this_machine(const char *host)
{
	char text[ADDRESS_HOST_MAX + 8];
	struct sockaddr_storage where;
	struct err ignored;
	socklen_t len;
	bool bound;
	int fd;

	snprintf(text, sizeof text, strchr(host, ':') != NULL ? "[%s]:0" : "%s:0", host);
	if (sockaddr_resolve(text, &where, &len, &ignored) < 0)
		return false;
	fd = socket(where.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bound = bind(fd, (struct sockaddr *)&where, len) == 0;
	close(fd);
	return bound;
}

static bool leads_to(const char *tracker, const struct address *listener)
{
	struct address to;

	if (!address_parse(tracker, &to) || to.is_unix || to.port != listener->port)
		return false;
	if (strcasecmp(to.host, listener->host) == 0)
		return true;
	if (is_wildcard(listener->host))
		return is_this_machine(to.host);
	return is_loopback(to.host) && is_loopback(listener->host);
}

bool store_place_is_here(const struct settings *settings)
{
	struct address listener;

	if (settings->store != STORE_AUTO)
		return settings->store == STORE_HERE;
	if (!address_parse(settings->tracker_listen, &listener) || listener.is_unix)
		return true;
	for (size_t i = 0; i < settings->tracker_server.count; i++)
		if (leads_to(settings->tracker_server.items[i], &listener))
			return true;
	return false;
}
