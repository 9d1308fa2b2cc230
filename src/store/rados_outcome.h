/* rados_outcome.h - what a result of librados, a negative errno, means for a request. */
#pragma once

#include "core/err.h"

#include <stdbool.h>

/* `changes`: the request was a put or a remove, which may have been carried out although
 * nobody said so.  0 and more is ERR_NONE. */
enum err_code rados_outcome(int result, bool changes);
