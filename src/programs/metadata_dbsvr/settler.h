/* settler.h - photos whose upload never came to its end.
 *
 * upload.cgi puts a photo as pending, stores its picture, and then settles the photo as
 * stored.  What a crash leaves between the first and the last is settled here once it is
 * old enough, by a walk of the store: the photo becomes stored if its picture is there
 * (by length, CRC and time; one that belongs to no other photo), and goes if it is not.
 *
 * Uploads of the same bytes may get each other's pictures: those are alike, and nobody was
 * told which is whose.
 *
 * A store that is not all on this machine cannot be searched to its end: then a photo that
 * was not found stays pending. */
#pragma once

#include "service/settings.h"

struct settler;

/* Start a thread that looks now and then.  `told` is called after each look: how many it
 * has settled, how many are left. */
struct settler *settler_new(const struct settings *settings,
	void (*told)(void *context, size_t done, size_t left), void *context, struct err *err);
void settler_free(struct settler *settler); /* NULL is fine */
