/* engine_rados.h - pictures as objects of a pool of a Ceph cluster, by librados.
 *
 *     GROUP/M00/HH/LL/NAME     the bytes of the picture, nothing else
 *
 * The object's name is the id, HH and LL drawn at random.  Size and CRC are in the id, so
 * every whole read is checked.  There are no tombstones and nothing is kept on this machine:
 * any number of storages may use the same pool, namespace and group, and any number of groups
 * one pool.
 *
 * A put is one operation that makes the object and writes it, and fails if there is one.  One
 * that may have been carried out is sent again; if it finds an object it is compared. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct engine_rados_conf {
	const char *conf_file; /* ceph.conf */
	const char *user;      /* "client.picstore" */
	const char *keyring;   /* file; "": where ceph.conf says */
	const char *pool;
	const char *name_space;     /* within the pool; "": the one without a name */
	int64_t connect_timeout_ms; /* whole seconds, rounded up, as is the next */
	/* Of a put, get or remove with all its tries; a try takes half of it. */
	int64_t timeout_ms;
	unsigned in_flight; /* operations at a time, 2 and more */
	/* Whether to open a pool that keeps fewer than three copies or acknowledges with fewer
	 * than two; `warn`, unless NULL, is told. */
	bool any_replicas;
	void (*warn)(const char *text);
};

/* Has this program been built with librados? */
bool engine_rados_is_built(void);
