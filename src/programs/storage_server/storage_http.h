/* storage_http.h - storage_server answers HTTP itself: GET and HEAD of a picture, with what
 * download.fcgi would say (src/delivery).
 *
 * It has answers for every id: those of its own engine first, then those in volumes of
 * other storages of this machine, then what the trackers know. */
#pragma once

#include "net/allow.h"
#include "service/settings.h"
#include "store/engine.h"

struct storage_http;

/* Take the address in `own`; -1 with err.  `*http` is NULL if none is configured. */
int storage_http_listen(
	const struct storage_settings *own, struct storage_http **http, struct err *err);

/* Begin to answer.  Everything is borrowed until storage_http_free(). */
int storage_http_open(struct storage_http *http, const struct settings *settings,
	struct engine *engine, const struct allow *allow, struct err *err);

void storage_http_stop(struct storage_http *http); /* nobody new; NULL is fine */
void storage_http_free(struct storage_http *http); /* before the engine; NULL is fine */
