/* photo_client.h - calls to metadata_dbsvr, itself or behind admin_proxy.
 *
 * Any number of threads may use one client.  Errors are what the service answers
 * (ERR_NOT_FOUND, ERR_GONE, ERR_EXISTS, ERR_NOT_ALLOWED, ...), or that it does not:
 * ERR_SERVICE_DOWN and ERR_TIMEOUT when nothing was done, ERR_UNKNOWN when that cannot be
 * told. */
#pragma once

#include "service/settings.h"
#include "wire/photo_body.h"

struct photo_client;

/* `address` as "host:port" or "unix:/path". */
struct photo_client *photo_client_new(
	const struct settings *settings, const char *address, int64_t timeout_ms, struct err *err);
void photo_client_free(struct photo_client *client); /* NULL is fine */

/* Put `photo`; photoid and the real albumid are filled in. */
int photo_client_put(struct photo_client *client, struct photo *photo, struct err *err);

/* `url` for PHOTO_SETTLE_STORED, else "".  Repeated until it is known to be done, or the
 * time is over. */
int photo_client_settle(struct photo_client *client, uint64_t photoid, enum photo_settle what,
	const char *url, struct err *err);

int photo_client_get_url(
	struct photo_client *client, const char *url, struct photo *photo, struct err *err);

/* The picture `url` has been deleted from the store: mark its photo.  One that has no
 * photo, or was marked already, is fine. */
int photo_client_deleted(struct photo_client *client, const char *url, struct err *err);

/* The same, as deletion.h wants it; a service that did not answer is not asked again for a
 * second. */
int photo_client_mark(void *client, const char *url, struct err *err);

/* The next photos that `request` (any list) asks for, at most `max` in `out`; its `photoid`
 * is moved on, `*more` says whether to call again. */
int photo_client_list(struct photo_client *client, struct photo_request *request, struct photo *out,
	size_t max, size_t *count, bool *more, struct err *err);
