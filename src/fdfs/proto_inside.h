/* proto_inside.h - what the files of the codec share. */
#pragma once

#include "fdfs/proto.h"

/* Bytes of an address field. */
size_t proto_ip_len(enum fdfs_ip_width width);

/* An address in a field of `len` bytes.  One that does not fit, as IPv6 into a narrow
 * field, leaves it empty rather than the reply broken. */
void proto_put_ip(struct buf *out, const char *ip, size_t len);
