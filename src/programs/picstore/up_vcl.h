/* up_vcl.h - the VCL that differs between installations: which back ends there are. */
#pragma once

#include "core/buf.h"
#include "programs/picstore/up_place.h"
#include "service/settings.h"

/* Write RUN/picstore-local.vcl, as the top of etc/picstore.vcl says.  With fetch_from =
 * storage a picture is fetched from the storages of its group in turn, from any storage
 * if its group is not kept here; lighttpd stands by for when they do not answer. */
void up_vcl_put(const struct up_place *place, const struct settings *settings, struct buf *out);
