#include "store/eraser.h"

#include "store/volume_change.h"

#include <stdlib.h>

enum { QUEUE_MAX = 65536, AT_ONCE = 64 };

struct erasure {
	uint16_t number;
	uint32_t spot;
	int64_t due_ms;
};

struct eraser {
	eraser_find *find;
	void *context;
	size_t first, count; /* of a ring */
	struct erasure queue[QUEUE_MAX];
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
	free(eraser);
}

void eraser_add(struct eraser *eraser, uint16_t number, uint32_t spot, int64_t due_ms)
{
	size_t at = (eraser->first + eraser->count) % QUEUE_MAX;

	if (eraser->count == QUEUE_MAX)
		return;
	eraser->queue[at] = (struct erasure){ number, spot, due_ms };
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
		eraser->first = (eraser->first + 1) % QUEUE_MAX;
		eraser->count--;
	}
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
