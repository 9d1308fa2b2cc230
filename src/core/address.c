#include "core/address.h"

#include "core/buf.h"

#include <stdio.h>
#include <string.h>

/* 0 to 65535 in decimal digits, nothing else. */
static bool parse_port(const char *text, uint16_t *port)
{
	uint32_t value = 0;
	size_t len = strlen(text);

	if (len == 0 || len > 5)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint32_t)(*text - '0');
	}
	if (value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

static bool host_ok(struct span host, bool bracketed)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
	static const char v6[] = "ABCDEFabcdef0123456789:.";
	const char *allowed = bracketed ? v6 : plain;

	if (host.len == 0 || host.len > ADDRESS_HOST_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++)
		if (host.data[i] == '\0' || strchr(allowed, host.data[i]) == NULL)
			return false;
	return !bracketed || memchr(host.data, ':', host.len) != NULL;
}

bool address_parse(const char *text, struct address *out)
{
	struct address address = { 0 };
	const char *colon;
	struct span host;
	bool bracketed = text[0] == '[';

	if (strncmp(text, "unix:", 5) == 0) {
		text += 5;
		if (text[0] != '/' || text[1] == '\0' || strlen(text) > ADDRESS_PATH_MAX)
			return false;
		address.is_unix = true;
		memcpy(address.host, text, strlen(text));
		*out = address;
		return true;
	}
	colon = strrchr(text, ':');
	if (colon == NULL || !parse_port(colon + 1, &address.port))
		return false;
	host = span_of(text, (size_t)(colon - text));
	if (bracketed) {
		if (host.len < 2 || host.data[host.len - 1] != ']')
			return false;
		host = span_of(text + 1, host.len - 2);
	}
	if (!host_ok(host, bracketed))
		return false;
	memcpy(address.host, host.data, host.len);
	*out = address;
	return true;
}

bool address_with_port(const char *text, uint16_t port, char out[ADDRESS_HOST_MAX + 16])
{
	struct address address;

	snprintf(out, ADDRESS_HOST_MAX + 16, "%s", text);
	if (!address_parse(text, &address) || address.is_unix)
		return false;
	snprintf(out, ADDRESS_HOST_MAX + 16,
		strchr(address.host, ':') != NULL ? "[%s]:%u" : "%s:%u", address.host, port);
	return true;
}

bool address_in_row(const char *text, int64_t offset, char out[ADDRESS_HOST_MAX + 16])
{
	struct address address;

	if (!address_parse(text, &address) || address.is_unix ||
		address.port + offset > UINT16_MAX) {
		snprintf(out, ADDRESS_HOST_MAX + 16, "%s", text);
		return false;
	}
	return address_with_port(text, (uint16_t)(address.port + offset), out);
}
