#include "programs/storage_server/storage_identity.h"

#include "core/address.h"
#include "net/sockaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* The address that `fd` listens on, if it is one that clients can be told. */
static int bound_address(int fd, struct fdfs_address *out, struct err *err)
{
	struct sockaddr_storage bound = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof bound;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&bound;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&bound;

	if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
		return err_errno(err, "cannot tell where this storage listens");
	if (bound.ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, out->ip, sizeof out->ip);
		out->port = ntohs(v4->sin_port);
		if (v4->sin_addr.s_addr != htonl(INADDR_ANY))
			return 0;
	} else if (bound.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, out->ip, sizeof out->ip);
		out->port = ntohs(v6->sin6_port);
		if (!IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
			return 0;
	}
	return err_set(
		err, ERR_CONFIG, "advertise must say which address clients reach this storage at");
}

/* The first 16777215 little-endian numbers are ids; the rest are addresses. */
static int source_of(const struct storage *storage, uint8_t out[4], struct err *err)
{
	uint8_t address[4];

	if (storage->own->id != 0) {
		store_le32(out, (uint32_t)storage->own->id);
		return 0;
	}
	if (inet_pton(AF_INET, storage->address.ip, address) != 1)
		return err_set(err, ERR_CONFIG,
			"id must be set: %s is not IPv4 and does not fit into the names of files",
			storage->address.ip);
	if (address[3] == 0)
		return err_set(err, ERR_CONFIG,
			"id must be set: %s ends in 0 and would be taken for an id in the names of "
			"files",
			storage->address.ip);
	memcpy(out, address, sizeof address);
	return 0;
}

int storage_identify(struct storage *storage, struct err *err)
{
	const struct storage_settings *own = storage->own;
	struct address told;

	if (own->advertise[0] != '\0') {
		if (!address_parse(own->advertise, &told) || told.is_unix || told.port == 0 ||
			strlen(told.host) > FDFS_IP_MAX)
			return err_set(err, ERR_CONFIG, "advertise must be an address and a port");
		snprintf(storage->address.ip, sizeof storage->address.ip, "%.*s", FDFS_IP_MAX,
			told.host);
		storage->address.port = told.port;
	} else if (bound_address(storage->fd, &storage->address, err) != 0) {
		return -1;
	}
	if (storage->ip_width == FDFS_IP_16 && strchr(storage->address.ip, ':') != NULL)
		return err_set(err, ERR_CONFIG, "ip_width must be 46 to tell clients of %s",
			storage->address.ip);
	if (source_of(storage, storage->source, err) != 0)
		return -1;
	if (own->id != 0)
		snprintf(storage->source_text, sizeof storage->source_text, "%lld",
			(long long)own->id);
	else
		snprintf(storage->source_text, sizeof storage->source_text, "%.16s",
			storage->address.ip);
	return 0;
}
