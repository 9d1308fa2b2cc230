/* engine_s3.h - pictures as objects of a bucket, on any service that speaks S3.
 *
 *     PREFIX/GROUP/M00/HH/LL/NAME     the bytes of the picture, nothing else
 *
 * The key is the id, HH and LL drawn at random.  Size and CRC are in the id, so every
 * whole read is checked.  There are no tombstones and nothing is kept on this machine: any
 * number of storages may use the same bucket, prefix and group.
 *
 * A put draws an id and sends the object with "If-None-Match: *".  Whether the service
 * honours that is found out at the first put, which is repeated once; where it does not,
 * the key is looked at before.  A put that may have been carried out is sent again under
 * the same id, which changes nothing if it was. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct engine_s3_conf {
	const char *endpoint; /* these as in struct s3_conf */
	const char *region;
	const char *bucket;
	bool bucket_in_host;
	const char *prefix; /* of all keys: A-Z a-z 0-9 - . _ /, or empty; no slash at its ends */
	const char *access_key, *secret_key;
	const char *ca_file; /* or NULL */
	int64_t connect_timeout_ms;
	/* Of a put, get or remove with all its tries; a try takes at most half of it.  For
	 * each KiB of content a millisecond is added. */
	int64_t timeout_ms;
	unsigned in_flight; /* requests at a time, 2 and more */
	uint64_t capacity;  /* bytes that engine_space tells, which nobody can ask for */
};
