#include "core/crc32.h"

#include <libdeflate.h>

uint32_t crc32_add(uint32_t crc, struct span bytes)
{
	return bytes.len == 0 ? crc : libdeflate_crc32(crc, bytes.data, bytes.len);
}

uint32_t crc32_fastdfs_old(struct span bytes)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < bytes.len; i++) {
		uint32_t row = (crc ^ bytes.data[i]) & 0xff;
		uint32_t sign = crc & 0x80000000 ? 0xff000000 : 0;

		for (int bit = 0; bit < 8; bit++)
			row = row & 1 ? row >> 1 ^ 0xedb88320 : row >> 1;
		crc = row ^ (crc >> 8 | sign);
	}
	return crc ^ 0xffffffff;
}
