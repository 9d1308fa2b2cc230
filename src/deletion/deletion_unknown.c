/* deletion_unknown.c - cuts that may be in the store under an id that nobody knows. */
#include "core/clock.h"
#include "deletion/deletion_inside.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

enum {
	MAKING_ROUNDS = 10, /* for the store's answer to whoever makes one */
	MAKING_MS = 20,     /* between them */
};

bool deletion_is_cuts(const struct deletion_place *place)
{
	return strcmp(place->cache, DELETION_CUTS) == 0;
}

/* Those that are being stored right now are known in a moment. */
static int count_unknown(const struct deletion *deletion, const struct deletion_tools *tools,
	int rounds, int64_t *open, int64_t *in_vain, struct err *err)
{
	const struct derived *derived = tools->derived;
	const struct timespec pause = { .tv_nsec = MAKING_MS * 1000000L };

	for (int round = 0;; round++) {
		if (derived->making(derived->context, &deletion->id, open, in_vain, err) != 0)
			return err_prefix(err, "cannot tell what is made from it");
		if (*open == 0 || round >= rounds)
			return 0;
		nanosleep(&pause, NULL);
	}
}

int deletion_note_unknown(
	struct deletion *deletion, const struct deletion_tools *tools, struct err *err)
{
	int64_t open, in_vain;
	struct deletion_place *place;
	const struct deletion_place *known;
	char text[FILE_ID_TEXT_MAX + 1];

	if (tools->derived == NULL || tools->derived->making == NULL)
		return 0;
	file_id_format(&deletion->id, text);
	known = deletion_find(deletion, text, DELETION_CUTS);
	if (count_unknown(
		    deletion, tools, known == NULL ? MAKING_ROUNDS : 0, &open, &in_vain, err) != 0)
		return -1;
	if (known == NULL && open + in_vain == 0)
		return 0;
	place = deletion_add(deletion, text, DELETION_CUTS);
	place->left = 0;
	if (open + in_vain == 0) {
		if (place->confirmed == 0)
			deletion_confirm(place, "none is left");
		return 0;
	}
	place->confirmed = 0;
	err_set(&place->err, ERR_BUSY, "%" PRId64 " cuts may be in the store under an unknown id",
		open + in_vain);
	if (open == 0)
		place->left = clock_unix();
	return 0;
}

bool deletion_has_unknown(const struct deletion *deletion)
{
	for (size_t i = 0; i < deletion->count; i++)
		if (deletion_is_cuts(&deletion->places[i]) && deletion->places[i].confirmed == 0)
			return true;
	return false;
}
