/* digest.h - a fingerprint of bytes: SHA-256. */
#pragma once

#include "core/buf.h"

enum { DIGEST_LEN = 32 };

void digest(struct span bytes, uint8_t out[DIGEST_LEN]);
