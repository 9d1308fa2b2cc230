#include "web/web_address.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

static bool to_text(const struct addrinfo *one, char out[WEB_ADDRESS_MAX])
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (one->ai_family == AF_INET && one->ai_addrlen >= sizeof v4) {
		memcpy(&v4, one->ai_addr, sizeof v4);
		return inet_ntop(AF_INET, &v4.sin_addr, out, WEB_ADDRESS_MAX) != NULL;
	}
	if (one->ai_family != AF_INET6 || one->ai_addrlen < sizeof v6)
		return false;
	memcpy(&v6, one->ai_addr, sizeof v6);
	return inet_ntop(AF_INET6, &v6.sin6_addr, out, WEB_ADDRESS_MAX) != NULL;
}

bool web_address_other(const struct addrinfo *all, const char *avoid, char out[WEB_ADDRESS_MAX])
{
	for (; all != NULL; all = all->ai_next)
		if (to_text(all, out) && strcmp(out, avoid) != 0)
			return true;
	return false;
}

bool web_address_other_of(const char *url, const char *avoid, char out[WEB_ADDRESS_MAX])
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *all = NULL;
	CURLU *parts = curl_url();
	char *host = NULL;
	bool found = false;

	if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] != '[' &&
		getaddrinfo(host, NULL, &hints, &all) == 0) {
		found = web_address_other(all, avoid, out);
		freeaddrinfo(all);
	}
	curl_free(host);
	curl_url_cleanup(parts);
	return found;
}
