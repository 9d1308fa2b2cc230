#include "net/sockaddr.h"

#include "core/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static void put_unix(const char *path, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };

	memcpy(local.sun_path, path, strlen(path) + 1); /* address_parse() has bounded it */
	memset(out, 0, sizeof *out);
	memcpy(out, &local, sizeof local);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

int sockaddr_resolve(
	const char *text, struct sockaddr_storage *out, socklen_t *len, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	struct address address;
	char port[8];
	int status;

	if (!address_parse(text, &address))
		return err_set(err, ERR_CONFIG,
			"'%.80s' is not an address: host:port, [v6]:port or unix:/path", text);
	if (address.is_unix) {
		put_unix(address.host, out, len);
		return 0;
	}
	snprintf(port, sizeof port, "%u", (unsigned)address.port);
	status = getaddrinfo(address.host, port, &hints, &found);
	if (status != 0)
		return err_set(err, ERR_UNREACHABLE, "cannot look up the host of %s: %s", text,
			gai_strerror(status));
	memset(out, 0, sizeof *out);
	memcpy(out, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

void sockaddr_text(const struct sockaddr *address, socklen_t len, char out[SOCKADDR_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";

	snprintf(out, SOCKADDR_TEXT_MAX, "?");
	if (address->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *v4 = (const void *)address;

		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		snprintf(out, SOCKADDR_TEXT_MAX, "%s:%u", host, ntohs(v4->sin_port));
	} else if (address->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		const struct sockaddr_in6 *v6 = (const void *)address;

		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		snprintf(out, SOCKADDR_TEXT_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else if (address->sa_family == AF_UNIX) {
		const struct sockaddr_un *local = (const void *)address;
		size_t max = len > offsetof(struct sockaddr_un, sun_path)
				     ? len - offsetof(struct sockaddr_un, sun_path)
				     : 0;

		if (max > sizeof local->sun_path)
			max = sizeof local->sun_path;
		snprintf(out, SOCKADDR_TEXT_MAX, "unix:%.*s", (int)strnlen(local->sun_path, max),
			local->sun_path);
	}
}
