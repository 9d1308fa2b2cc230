/* fake_rados.h - as much of librados as picstore uses, in memory, with faults on demand.
 *
 * A program that is linked with fake_rados.c has these functions instead of the library's.
 * Everything is static: fake_rados_reset() before each test. */
#pragma once

#include <stdbool.h>

enum fake_rados_op { FAKE_PUT, FAKE_REMOVE, FAKE_READ, FAKE_STAT, FAKE_LIST, FAKE_OPS };

enum fake_rados_spoil {
	FAKE_WRONG,  /* a byte differs */
	FAKE_SHORT,  /* one is missing */
	FAKE_LONGER, /* there is one more */
};

struct fake_rados {
	int connect;          /* results of rados_connect */
	int size, min_size;   /* of the pool; 0: the monitors answer EACCES */
	int k;                /* of its erasure code; 0: it is replicated */
	bool pool_is_gone;    /* while connected; its objects with it */
	const char *df;       /* the answer to "df detail" */
	const char *threads;  /* what ms_async_op_threads is configured to */
	int flags[FAKE_OPS];  /* of the last operation of each kind */
	unsigned asked;       /* operations on objects */
	char options[40][60]; /* "name=value" in the order of rados_conf_set */
	unsigned option_count;
};

extern struct fake_rados fake_rados;

void fake_rados_reset(void);

/* The next `times` operations of that kind have this result, and are carried out or not. */
void fake_rados_fail(enum fake_rados_op op, int result, bool done, unsigned times);

/* The next `times` reads give other bytes. */
void fake_rados_spoil(enum fake_rados_spoil how, unsigned times);

unsigned fake_rados_count(void); /* of objects */
void fake_rados_add(const char *name, const char *content);
