#include "store/eraser.h"

#include "store/volume_change.h"

#include <stdbool.h>
#include <stdlib.h>

enum { QUEUE_MIN = 1024, QUEUE_MAX = 1 << 22, AT_ONCE = 64 };

struct erasure {
	uint16_t number;
	uint32_t spot;
	int64_t due_ms;
};

struct eraser {
	eraser_find *find;
	void *context;
	size_t first, count, room; /* of a ring; room is 0 or a power of two */
	struct erasure *queue;
};

struct eraser *eraser_new(eraser_find *find, void *context)
{
	struct eraser *eraser = calloc(1, sizeof *eraser);

	if (eraser == NULL)
		return NULL;
	eraser->find = find;
	eraser->context = context;
	return eraser;
}

void eraser_free(struct eraser *eraser)
{
	if (eraser != NULL)
		free(eraser->queue);
	free(eraser);
}

/* Have another ring, of `room`; false if memory has ended. */
static bool resize(struct eraser *eraser, size_t room)
{
	struct erasure *queue = calloc(room, sizeof *queue);

	if (queue == NULL)
		return false;
	for (size_t i = 0; i < eraser->count; i++)
		queue[i] = eraser->queue[(eraser->first + i) % eraser->room];
	free(eraser->queue);
	eraser->queue = queue;
	eraser->room = room;
	eraser->first = 0;
	return true;
}

void eraser_add(struct eraser *eraser, uint16_t number, uint32_t spot, int64_t due_ms)
{
	if (eraser->count == eraser->room &&
		(eraser->room == QUEUE_MAX ||
			!resize(eraser, eraser->room == 0 ? QUEUE_MIN : 2 * eraser->room)))
		return;
	eraser->queue[(eraser->first + eraser->count) % eraser->room] = (struct erasure){ number,
		spot, due_ms };
	eraser->count++;
}

int64_t eraser_wait_ms(const struct eraser *eraser, int64_t now_ms)
{
	int64_t wait_ms;

	if (eraser->count == 0)
		return -1;
	wait_ms = eraser->queue[eraser->first].due_ms - now_ms;
	return wait_ms > 0 ? wait_ms : 0;
}

/* Erase the bytes under one tombstone.  Returns its volume, with a reference, or NULL:
 * then they stay, for fsck to find. */
static struct volume *erase(
	struct eraser *eraser, const struct erasure *erasure, struct record *record)
{
	struct volume *volume = eraser->find(eraser->context, erasure->number);
	uint64_t offset = (uint64_t)erasure->spot * RECORD_BLOCK;
	uint8_t header[RECORD_HEADER_LEN];

	if (volume == NULL)
		return NULL;
	if (volume->flush_errno == 0 &&
		volume_read(volume, offset, header, sizeof header, NULL) == sizeof header &&
		record_decode(header, &volume->key, erasure->spot, record) == RECORD_GOOD &&
		record_is_to_erase(record) && volume_erase(volume, record, NULL) == 0)
		return volume;
	volume_unref(volume);
	return NULL;
}

void eraser_run(struct eraser *eraser, int64_t now_ms)
{
	struct volume *volumes[AT_ONCE];
	struct record records[AT_ONCE];
	size_t count = 0;

	for (size_t i = 0; i < AT_ONCE && eraser_wait_ms(eraser, now_ms) == 0; i++) {
		volumes[count] = erase(eraser, &eraser->queue[eraser->first], &records[count]);
		if (volumes[count] != NULL)
			count++;
		eraser->first = (eraser->first + 1) % eraser->room;
		eraser->count--;
	}
	/* What many deletes at once have taken is given back. */
	if (eraser->room > QUEUE_MIN && eraser->count < eraser->room / 4)
		resize(eraser, eraser->room / 2);
	for (size_t i = 0; i < count; i++)
		if (volumes[i]->dirty && volumes[i]->flush_errno == 0)
			volume_flush(volumes[i], NULL);
	/* "Erased" must not reach the disk before the erasing has. */
	for (size_t i = 0; i < count; i++) {
		if (volumes[i]->flush_errno == 0)
			volume_set_erased(volumes[i], &records[i], NULL);
		volume_unref(volumes[i]);
	}
}
