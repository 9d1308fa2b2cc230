#include "programs/tracker_server/cluster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cluster_init(struct cluster *cluster, enum cluster_lookup lookup, const char *store_group,
	int64_t beat_timeout_ms)
{
	*cluster = (struct cluster){ .lookup = lookup, .beat_timeout_ms = beat_timeout_ms };
	snprintf(cluster->store_group, sizeof cluster->store_group, "%s", store_group);
}

void cluster_fini(struct cluster *cluster)
{
	for (size_t i = 0; i < cluster->count; i++) {
		for (size_t j = 0; j < cluster->groups[i]->count; j++)
			free(cluster->groups[i]->storages[j]);
		free(cluster->groups[i]);
	}
	cluster->count = 0;
}

struct cluster_group *cluster_find(const struct cluster *cluster, const char *group)
{
	for (size_t i = 0; i < cluster->count; i++)
		if (strcmp(cluster->groups[i]->name, group) == 0)
			return cluster->groups[i];
	return NULL;
}

static struct cluster_group *find_or_add(struct cluster *cluster, const char *name)
{
	struct cluster_group *group = cluster_find(cluster, name);
	size_t at = 0;

	if (group != NULL || cluster->count == CLUSTER_GROUPS_MAX)
		return group;
	group = calloc(1, sizeof *group);
	assert(group != NULL);
	snprintf(group->name, sizeof group->name, "%s", name);
	while (at < cluster->count && strcmp(cluster->groups[at]->name, name) < 0)
		at++;
	memmove(&cluster->groups[at + 1], &cluster->groups[at],
		(cluster->count - at) * sizeof cluster->groups[0]);
	cluster->groups[at] = group;
	cluster->count++;
	return group;
}

bool cluster_expect(struct cluster *cluster, const char *group)
{
	return find_or_add(cluster, group) != NULL;
}

bool cluster_is_up(
	const struct cluster *cluster, const struct cluster_storage *storage, int64_t now_ms)
{
	return storage->link != NULL && storage->beat.state == FDFS_STATE_ACTIVE &&
	       now_ms - storage->beat_ms <= cluster->beat_timeout_ms;
}

/* ---- beats ---- */

static bool same_address(const struct fdfs_address *a, const struct fdfs_address *b)
{
	return a->port == b->port && strcmp(a->ip, b->ip) == 0;
}

/* A place for a storage that is not known yet: a new one, else that of whichever has been
 * down for longest. */
static struct cluster_storage *make_room(
	const struct cluster *cluster, struct cluster_group *group, int64_t now_ms)
{
	struct cluster_storage *oldest = NULL;

	if (group->count < CLUSTER_STORAGES_MAX) {
		struct cluster_storage *storage = calloc(1, sizeof *storage);

		assert(storage != NULL);
		group->storages[group->count++] = storage;
		return storage;
	}
	for (size_t i = 0; i < group->count; i++) {
		struct cluster_storage *storage = group->storages[i];

		if (!cluster_is_up(cluster, storage, now_ms) &&
			(oldest == NULL || storage->beat_ms < oldest->beat_ms))
			oldest = storage;
	}
	if (oldest != NULL)
		*oldest = (struct cluster_storage){ 0 };
	return oldest;
}

/* NULL if it is not known. */
static struct cluster_storage *find_id(const struct cluster_group *group, const char *id)
{
	for (size_t i = 0; i < group->count; i++)
		if (strcmp(group->storages[i]->beat.id, id) == 0)
			return group->storages[i];
	return NULL;
}

bool cluster_remember(struct cluster *cluster, const struct fdfs_beat *beat, int64_t joined)
{
	struct cluster_group *group = find_or_add(cluster, beat->group);
	struct cluster_storage *storage;

	if (group == NULL || group->count == CLUSTER_STORAGES_MAX ||
		find_id(group, beat->id) != NULL)
		return false;
	storage = make_room(cluster, group, 0);
	storage->beat = *beat;
	storage->joined = joined;
	return true;
}

int cluster_beat(struct cluster *cluster, const struct fdfs_beat *beat, const void *link,
	int64_t now_ms, int64_t now, struct err *err)
{
	struct cluster_group *group = find_or_add(cluster, beat->group);
	struct cluster_storage *storage = NULL;

	if (group == NULL)
		return err_set(err, ERR_FULL, "there are %d groups, no more are taken",
			CLUSTER_GROUPS_MAX);
	storage = find_id(group, beat->id);
	if (storage != NULL && storage->link != link && cluster_is_up(cluster, storage, now_ms) &&
		!same_address(&storage->beat.address, &beat->address))
		return err_set(err, ERR_EXISTS,
			"group %s has a storage %s already, at %s:%u; two need an id each",
			beat->group, beat->id, storage->beat.address.ip,
			storage->beat.address.port);
	/* At the address of one that is known there is that one, under a new id. */
	for (size_t i = 0; i < group->count && storage == NULL; i++)
		if (same_address(&group->storages[i]->beat.address, &beat->address))
			storage = group->storages[i];
	if (storage == NULL) {
		storage = make_room(cluster, group, now_ms);
		if (storage == NULL)
			return err_set(err, ERR_FULL, "group %s has %d storages, no more are taken",
				beat->group, CLUSTER_STORAGES_MAX);
		storage->joined = now;
	}
	cluster->news = cluster->news || strcmp(storage->beat.id, beat->id) != 0 ||
			!same_address(&storage->beat.address, &beat->address) ||
			storage->beat.shared != beat->shared;
	storage->beat = *beat;
	storage->link = link;
	storage->beat_ms = now_ms;
	storage->beat_time = now;
	return 0;
}

void cluster_link_ended(struct cluster *cluster, const void *link)
{
	for (size_t i = 0; i < cluster->count; i++)
		for (size_t j = 0; j < cluster->groups[i]->count; j++)
			if (cluster->groups[i]->storages[j]->link == link)
				cluster->groups[i]->storages[j]->link = NULL;
}

void cluster_changes(struct cluster *cluster, int64_t now_ms,
	void (*changed)(void *context, const struct cluster_storage *storage, bool up),
	void *context)
{
	for (size_t i = 0; i < cluster->count; i++)
		for (size_t j = 0; j < cluster->groups[i]->count; j++) {
			struct cluster_storage *storage = cluster->groups[i]->storages[j];
			bool up = cluster_is_up(cluster, storage, now_ms);

			if (up != storage->told_up)
				changed(context, storage, up);
			storage->told_up = up;
		}
}

/* ---- uploads ---- */

bool cluster_id_is_number(const struct cluster_storage *storage)
{
	const char *id = storage->beat.id;

	return id[0] != '\0' && id[strspn(id, "0123456789")] == '\0';
}

uint64_t cluster_room(const struct cluster_storage *storage)
{
	uint64_t room = 0;

	for (int i = 0; i < storage->beat.path_count; i++)
		room += storage->beat.paths[i].free;
	return room;
}

static bool takes_uploads(
	const struct cluster *cluster, const struct cluster_storage *storage, int64_t now_ms)
{
	return cluster_is_up(cluster, storage, now_ms) && storage->beat.writable;
}

/* The most room that one of the group's storages has; *up tells if any takes uploads. */
static uint64_t group_room(
	const struct cluster *cluster, const struct cluster_group *group, int64_t now_ms, bool *up)
{
	uint64_t most = 0;

	for (size_t i = 0; i < group->count; i++) {
		if (!takes_uploads(cluster, group->storages[i], now_ms))
			continue;
		*up = true;
		if (cluster_room(group->storages[i]) > most)
			most = cluster_room(group->storages[i]);
	}
	return most;
}

static struct cluster_group *pick_group(struct cluster *cluster, int64_t now_ms, bool *up)
{
	struct cluster_group *best = NULL;
	uint64_t most = 0;

	if (cluster->lookup == CLUSTER_ONE_GROUP) {
		best = cluster_find(cluster, cluster->store_group);
		return best != NULL && group_room(cluster, best, now_ms, up) > 0 ? best : NULL;
	}
	for (size_t i = 0; i < cluster->count; i++) {
		size_t at = (cluster->next_group + i) % cluster->count;
		uint64_t room = group_room(cluster, cluster->groups[at], now_ms, up);

		if (room > 0 && cluster->lookup == CLUSTER_ROUND_ROBIN) {
			cluster->next_group = at + 1;
			return cluster->groups[at];
		}
		if (room > most) {
			best = cluster->groups[at];
			most = room;
		}
	}
	return best;
}

/* The storage's paths in turn, those without room left out. */
static uint8_t pick_path(struct cluster_storage *storage)
{
	unsigned count = storage->beat.path_count;

	for (unsigned i = 0; i < count; i++) {
		unsigned at = (storage->next_path + i) % count;

		if (storage->beat.paths[at].free > 0) {
			storage->next_path = at + 1;
			return (uint8_t)at;
		}
	}
	return FDFS_ANY_PATH;
}

static void begin_route(struct fdfs_route *route, const struct cluster_group *group)
{
	*route = (struct fdfs_route){ .path = FDFS_ANY_PATH };
	memcpy(route->group, group->name, sizeof route->group);
}

static void add_to_route(struct fdfs_route *route, const struct cluster_storage *storage)
{
	assert(route->count < FDFS_ROUTE_MAX);
	route->to[route->count++] = storage->beat.address;
}

int cluster_store(struct cluster *cluster, const char *name, bool all, int64_t now_ms,
	struct fdfs_route *route, struct err *err)
{
	struct cluster_group *group;
	struct cluster_storage *last = NULL;
	bool up = false;
	size_t first;

	if (name == NULL) {
		group = pick_group(cluster, now_ms, &up);
	} else {
		group = cluster_find(cluster, name);
		if (group == NULL)
			return err_set(err, ERR_NOT_FOUND, "there is no group %s", name);
		if (group_room(cluster, group, now_ms, &up) == 0)
			group = NULL;
	}
	if (group == NULL && up)
		return err_set(err, ERR_FULL, "%s%s is full",
			name == NULL ? "every group" : "group ", name == NULL ? "" : name);
	if (group == NULL)
		return err_set(err, ERR_NOT_FOUND, "no storage of %s%s is up",
			name == NULL ? "any group" : "group ", name == NULL ? "" : name);
	begin_route(route, group);
	first = group->next_write;
	for (size_t i = 0; i < group->count; i++) {
		size_t at = (first + i) % group->count;
		struct cluster_storage *storage = group->storages[at];

		if (!takes_uploads(cluster, storage, now_ms) || cluster_room(storage) == 0)
			continue;
		if (route->count == 0)
			group->next_write = at + 1;
		last = storage;
		add_to_route(route, storage);
		if (!all)
			break;
	}
	assert(last != NULL);
	if (route->count == 1)
		route->path = pick_path(last);
	return 0;
}

/* ---- files ---- */

/* The storage that took the file in, as far as its name tells: the one with that id, else
 * the only one at that address, which has since been given a number. */
static const struct cluster_storage *find_source(
	const struct cluster_group *group, const struct fdfs_file_request *file)
{
	const struct cluster_storage *there = NULL;
	struct file_id id;
	char source[16];
	size_t count = 0;

	if (!file_id_parse_name(span_str(file->group), file->name, &id))
		return NULL;
	file_id_source_text(&id, source);
	for (size_t i = 0; i < group->count; i++) {
		const struct cluster_storage *storage = group->storages[i];

		if (strcmp(storage->beat.id, source) == 0)
			return storage;
		if (!id.source_is_id && strcmp(storage->beat.address.ip, source) == 0) {
			there = storage;
			count++;
		}
	}
	return count == 1 ? there : NULL;
}

static bool fits(const struct cluster *cluster, const struct cluster_storage *storage,
	enum cluster_use use, int64_t now_ms)
{
	const struct fdfs_beat *beat = &storage->beat;

	return cluster_is_up(cluster, storage, now_ms) &&
	       (use == CLUSTER_READ ? beat->readable : beat->writable || beat->draining);
}

int cluster_fetch(struct cluster *cluster, const struct fdfs_file_request *file,
	enum cluster_use use, bool all, int64_t now_ms, struct fdfs_route *route, struct err *err)
{
	struct cluster_group *group = cluster_find(cluster, file->group);
	const struct cluster_storage *source;
	size_t first;

	if (group == NULL)
		return err_set(err, ERR_NOT_FOUND, "there is no group %s", file->group);
	begin_route(route, group);
	source = find_source(group, file);
	if (source != NULL && fits(cluster, source, use, now_ms) &&
		(all || use == CLUSTER_CHANGE || !source->beat.shared))
		add_to_route(route, source);
	first = group->next_read;
	for (size_t i = 0; i < group->count && (all || route->count == 0); i++) {
		size_t at = (first + i) % group->count;
		const struct cluster_storage *storage = group->storages[at];

		assert(storage != NULL);
		if (storage == source ? route->count > 0 : source != NULL && !source->beat.shared)
			continue; /* named already, or has not got it */
		if (!fits(cluster, storage, use, now_ms))
			continue;
		group->next_read = at + 1;
		add_to_route(route, storage);
	}
	if (route->count == 0)
		return err_set(err, ERR_NOT_FOUND, "no storage that has it is up in group %s",
			file->group);
	return 0;
}
