/* crc32.h - the CRC-32 of zlib and PNG, which FastDFS ids carry. */
#pragma once

#include "core/buf.h"

/* The CRC of `bytes` behind bytes whose CRC is `crc`; start with 0. */
uint32_t crc32_add(uint32_t crc, struct span bytes);

/* What FastDFS before June 2018 computed instead: the same polynomial in a
 * signed register, so that each right shift copies the sign bit. */
uint32_t crc32_fastdfs_old(struct span bytes);
