#include "net/allow.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool parse(const char *text, struct allow_rule *rule)
{
	const char *slash = strchr(text, '/');
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	char host[INET6_ADDRSTRLEN];
	long bits, most = 128;

	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, rule->address + 12) == 1) {
		memcpy(rule->address, mapped, sizeof mapped);
		most = 32;
	} else if (inet_pton(AF_INET6, host, rule->address) != 1) {
		return false;
	}
	bits = most;
	if (slash != NULL) {
		char *end;

		if (slash[1] < '0' || slash[1] > '9')
			return false;
		bits = strtol(slash + 1, &end, 10);
		if (*end != '\0' || bits > most)
			return false;
	}
	rule->bits = (uint8_t)(bits + 128 - most);
	return true;
}

int allow_init(struct allow *allow, char *const *items, size_t count, struct err *err)
{
	*allow = (struct allow){ .rules = calloc(count > 0 ? count : 1, sizeof *allow->rules) };
	if (allow->rules == NULL)
		return err_set(err, ERR_INTERNAL, "memory has ended");
	for (size_t i = 0; i < count; i++) {
		if (!parse(items[i], &allow->rules[i])) {
			allow_fini(allow);
			return err_set(err, ERR_CONFIG,
				"'%.60s' is not an address or network (10.0.0.0/8)", items[i]);
		}
		allow->count++;
	}
	return 0;
}

void allow_fini(struct allow *allow)
{
	free(allow->rules);
	*allow = (struct allow){ 0 };
}

static bool matches(const struct allow_rule *rule, const uint8_t address[16])
{
	size_t whole = rule->bits / 8;
	unsigned rest = rule->bits % 8;

	if (memcmp(rule->address, address, whole) != 0)
		return false;
	return rest == 0 || (rule->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool allow_has(const struct allow *allow, const struct sockaddr *peer)
{
	uint8_t address[16];

	if (peer->sa_family == AF_UNIX)
		return true;
	if (peer->sa_family == AF_INET) {
		memcpy(address, mapped, sizeof mapped);
		memcpy(address + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
	} else if (peer->sa_family == AF_INET6) {
		memcpy(address, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
	} else {
		return false;
	}
	for (size_t i = 0; i < allow->count; i++)
		if (matches(&allow->rules[i], address))
			return true;
	return false;
}
