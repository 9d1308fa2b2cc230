#include "sim_event.h"

#include <assert.h>
#include <stdlib.h>

void sim_apply(struct sim_image *image, const struct sim_event *event)
{
	switch (event->what) {
	case SIM_CREATE: {
		int node = sim_image_add(image, event->is_folder, event->number);

		assert(node == event->node);
		break;
	}
	case SIM_WRITE:
		sim_image_write(image, event->node, event->offset, event->bytes, event->len);
		break;
	case SIM_GROW:
		if (event->offset > image->nodes[event->node].size)
			sim_image_resize(image, event->node, event->offset);
		break;
	case SIM_TRUNCATE:
		sim_image_resize(image, event->node, event->offset);
		break;
	case SIM_PUNCH:
		sim_image_zero(image, event->node, event->offset, event->len);
		break;
	case SIM_NAME:
		sim_image_set(image, event->folder, event->name, event->node);
		break;
	case SIM_RENAME:
		sim_image_set(image, event->folder, event->name, event->node);
		if (sim_image_find(image, event->folder, event->from) == event->node)
			sim_image_unset(image, event->folder, event->from);
		break;
	case SIM_UNNAME:
		sim_image_unset(image, event->folder, event->name);
		break;
	case SIM_FLUSH:
	case SIM_FLUSH_FAIL:
	case SIM_MARK:
		break;
	}
}

void sim_add(struct sim *sim, struct sim_event event)
{
	if (sim->count == sim->cap) {
		sim->cap = sim->cap == 0 ? 256 : sim->cap * 2;
		sim->events = realloc(sim->events, sim->cap * sizeof sim->events[0]);
		assert(sim->events != NULL);
	}
	sim->events[sim->count++] = event;
	sim_apply(&sim->now, &event);
}

void sim_forget(struct sim *sim)
{
	for (size_t i = 0; i < sim->count; i++)
		free(sim->events[i].bytes);
	sim->count = 0;
}

struct sim *sim_new(void)
{
	struct sim *made = calloc(1, sizeof *made);

	assert(made != NULL);
	sim_image_init(&made->start);
	sim_image_init(&made->now);
	return made;
}

size_t sim_event_count(const struct sim *sim)
{
	return sim->count;
}

bool sim_event_mark(const struct sim *sim, size_t at, unsigned *what)
{
	if (sim->events[at].what != SIM_MARK)
		return false;
	*what = sim->events[at].number;
	return true;
}

uint64_t sim_hash(const struct sim *sim)
{
	return sim_image_hash(&sim->now);
}
