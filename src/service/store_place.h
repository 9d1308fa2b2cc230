/* store_place.h - whether the store is this installation's own.
 *
 * It is where [fdfs] tracker_server points.  If that is another's, such as a FastDFS
 * cluster, our tracker and storages have nothing to do here and are not started. */
#pragma once

#include "service/settings.h"

/* What [fdfs] store says; with auto, whether one of the trackers is the one that listens
 * at [tracker] listen.  A name among them is looked up only if that is a wildcard. */
bool store_place_is_here(const struct settings *settings);
