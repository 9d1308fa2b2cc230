/* cut_memory_batch.c - changes of several threads, brought to the disk together.
 *
 * Whoever comes while a transaction is under way waits for its end; then one of them does
 * what all of them want in the next one. */
#include "meta/cut_memory_inside.h"

/* With the lock held. */
static int in_one_transaction(
	struct cut_memory *memory, struct cut_change *first, bool alone, struct err *err)
{
	if (db_begin(memory->db, err) != 0)
		return -1;
	for (struct cut_change *change = first; change != NULL; change = change->next) {
		if (change->apply(memory, change, err) != 0) {
			db_rollback(memory->db);
			return -1;
		}
		if (alone)
			break;
	}
	return db_commit(memory->db, err);
}

static void run(struct cut_memory *memory, struct cut_change *first)
{
	struct err err;
	int result;

	pthread_mutex_lock(&memory->lock);
	result = in_one_transaction(memory, first, false, &err);
	for (struct cut_change *change = first; change != NULL; change = change->next) {
		change->result = result;
		/* What one cannot have is not refused to the others. */
		if (result != 0)
			change->result = in_one_transaction(memory, change, true, &change->err);
	}
	pthread_mutex_unlock(&memory->lock);
}

int cut_memory_change(struct cut_memory *memory, struct cut_change *mine, struct err *err)
{
	struct cut_change *first;

	pthread_mutex_lock(&memory->batch_lock);
	mine->next = memory->waiting;
	mine->done = false;
	memory->waiting = mine;
	while (!mine->done && memory->under_way)
		pthread_cond_wait(&memory->batch_done, &memory->batch_lock);
	if (!mine->done) {
		first = memory->waiting;
		memory->waiting = NULL;
		memory->under_way = true;
		pthread_mutex_unlock(&memory->batch_lock);
		run(memory, first);
		pthread_mutex_lock(&memory->batch_lock);
		memory->under_way = false;
		while (first != NULL) { /* whose memory ends once it is done */
			struct cut_change *next = first->next;

			first->done = true;
			first = next;
		}
		pthread_cond_broadcast(&memory->batch_done);
	}
	pthread_mutex_unlock(&memory->batch_lock);
	if (mine->result != 0 && err != NULL)
		*err = mine->err;
	return mine->result;
}
