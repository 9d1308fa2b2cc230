/* web_address.h - another address of a host than one that gave a bad answer. */
#pragma once

#include <stdbool.h>

enum { WEB_ADDRESS_MAX = 46 }; /* of an address as text, with the NUL */

struct addrinfo;

/* The first of `all` that is not `avoid`; false if there is none. */
bool web_address_other(const struct addrinfo *all, const char *avoid, char out[WEB_ADDRESS_MAX]);

/* The same of all that the host of `url` has.  May wait for whoever knows names. */
bool web_address_other_of(const char *url, const char *avoid, char out[WEB_ADDRESS_MAX]);
