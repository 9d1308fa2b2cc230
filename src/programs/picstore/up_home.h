/* up_home.h - making a home, becoming who it belongs to, keeping a second one out. */
#pragma once

#include "programs/picstore/up_place.h"

/* Started as root: make the home and become who it belongs to, or `user` if it is new.
 * Otherwise just make the home. */
int up_home_enter(struct up_place *place, const char *user, struct err *err);

/* Make the folders, and take the lock that keeps a second one out; waits for one that
 * is just ending. */
int up_home_open(struct up_place *place, struct err *err);

/* Remove what is of no use after the end. */
void up_home_close(struct up_place *place);

/* Make the secrets that are not there. */
int up_home_secrets(const struct up_place *place, struct err *err);
