/* ret.h - what the field `ret` of a reply package says.
 *
 * One closed list for all services.  The numbers are part of the wire format: they
 * never change and are never used again.  docs/protocol.md shows the table. */
#pragma once

#include "core/err.h"

#include <stdint.h>

enum ret {
	RET_OK = 0,
	RET_BAD_REQUEST = 1,
	RET_BAD_ID = 2,
	RET_NOT_FOUND = 3,
	RET_GONE = 4,
	RET_EXISTS = 5,
	RET_TOO_LARGE = 6,
	RET_FULL = 7,
	RET_BUSY = 8,
	RET_NOT_ALLOWED = 9,
	RET_CORRUPT = 10,
	RET_UNKNOWN = 11,
	RET_UNREACHABLE = 12,
	RET_TIMEOUT = 13,
	RET_IO = 14,
	RET_UNSUPPORTED = 15,
	RET_INTERNAL = 16,
	RET_NO_KEY = 17,
	RET_BAD_KEY = 18,
	RET_KEY_EXPIRED = 19,
	RET_KEY_NOT_YET = 20,
	RET_EMPTY_FILE = 21,
	RET_NOT_A_PICTURE = 22,
	RET_PIXEL_BOMB = 23,
	RET_TRUNCATED = 24,
	RET_SERVICE_DOWN = 25,
	RET_COUNT
};

/* The number for an outcome; those that no framed service has become RET_INTERNAL. */
enum ret ret_of_err(enum err_code code);

/* The outcome that a number from a peer means; unknown numbers are ERR_INTERNAL. */
enum err_code ret_to_err(uint32_t ret);
