/* proxy_shield.h - TLS of src/auth, as a frame_server wants it.  The context is a
 * struct tls. */
#pragma once

#include "net/frame_shield.h"

extern const struct frame_shield proxy_shield;
