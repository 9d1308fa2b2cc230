/* up_place.h - where the files of an installation are.
 *
 *     HOME/etc/picstore.conf    the settings; written once, then the owner's
 *     HOME/secret/des, jwt      keys, made once
 *     HOME/data/                volumes, unless the settings say elsewhere
 *     HOME/log/PART/current     what a part says; older lines beside it
 *     HOME/run/                 made anew at each start: service folders, sockets,
 *                               configuration of lighttpd and varnishd
 *
 * Two things may lie elsewhere, in a folder that belongs to this home alone: sockets, as
 * their path must be short, and what is written much and never read again, which goes to
 * memory. */
#pragma once

#include "core/err.h"

enum { UP_PATH = 400 };

struct up_place {
	char self[UP_PATH];   /* this program */
	char share[UP_PATH];  /* folder of lighttpd.conf and picstore.vcl */
	char sample[UP_PATH]; /* a picture to try with */
	char home[UP_PATH];
	char conf[UP_PATH];
	char secret[UP_PATH];
	char log[UP_PATH];
	char run[UP_PATH];
	char services[UP_PATH];
	char sockets[UP_PATH];
	char fast[UP_PATH];
	int lock;
};

/* Write a path to `out`; ERR_CONFIG if it is too long. */
int up_path(char out[UP_PATH], struct err *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Find this program, what came with it, and the home: `home`, else $PICSTORE_HOME, else
 * var/ in the source tree that this program was built in, else the system's folder. */
int up_place_find(struct up_place *place, const char *home, struct err *err);

/* The path of another program of ours, or of Debian's. */
int up_place_program(
	const struct up_place *place, const char *name, char out[UP_PATH], struct err *err);
