/* admin_proxy.h - what its service table names. */
#pragma once

#include "programs/admin_proxy/proxy.h"

extern struct service_counter admin_proxy_counters[PROXY_FIGURES];

int admin_proxy_listen(struct service_context *context, struct err *err);
int admin_proxy_open(struct service_context *context, struct err *err);
int admin_proxy_run(struct service_context *context, struct err *err);
void admin_proxy_stop(struct service_context *context);
int admin_proxy_reload(
	struct service_context *context, const struct settings *settings, struct err *err);
void admin_proxy_close(struct service_context *context);
