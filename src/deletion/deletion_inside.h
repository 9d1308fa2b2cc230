/* deletion_inside.h - what the files of deletion share. */
#pragma once

#include "deletion/deletion.h"

void deletion_confirm(struct deletion_place *place, const char *outcome);

/* Is it DELETION_CUTS? */
bool deletion_is_cuts(const struct deletion_place *place);

/* Ask whether there may be such cuts, and add the place, confirm it, or say why it is
 * not. */
int deletion_note_unknown(
	struct deletion *deletion, const struct deletion_tools *tools, struct err *err);

bool deletion_has_unknown(const struct deletion *deletion);
