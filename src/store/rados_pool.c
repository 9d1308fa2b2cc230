#include "store/rados_pool.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(struct span json, struct err *err)
{
	json_error_t error;
	json_t *root = json_loadb((const char *)json.data, json.len, 0, &error);

	if (root == NULL)
		err_set(err, ERR_UNREACHABLE, "the cluster's answer is no JSON: %.100s",
			error.text);
	return root;
}

int rados_pool_read_number(struct span json, const char *key, int64_t *out, struct err *err)
{
	json_t *root = load(json, err), *value;
	int64_t number = 0;

	if (root == NULL)
		return -1;
	value = json_object_get(root, key);
	if (json_is_integer(value))
		number = json_integer_value(value);
	else if (json_is_string(value) && json_string_length(value) <= 9)
		number = strtol(json_string_value(value), NULL, 10);
	json_decref(root);
	if (number < 1)
		return err_set(err, ERR_UNREACHABLE, "the cluster tells no %.40s", key);
	*out = number;
	return 0;
}

bool rados_pool_read_text(struct span json, const char *key, char *out, size_t max)
{
	json_t *root = load(json, NULL), *value;
	bool found;

	value = json_object_get(root, key);
	found = json_is_string(value) && json_string_length(value) <= max;
	if (found)
		strcpy(out, json_string_value(value));
	json_decref(root);
	return found;
}

int rados_pool_check(const char *pool, const struct rados_pool_copies *copies, struct err *err)
{
	if (copies->size >= copies->needed + 2 && copies->min_size >= copies->needed + 1)
		return 0;
	return err_set(err, ERR_CONFIG,
		"pool %.60s has size %" PRId64 " and min_size %" PRId64
		", which is less than %" PRId64 " and %" PRId64
		": a picture that was acknowledged could be lost with one disk",
		pool, copies->size, copies->min_size, copies->needed + 2, copies->needed + 1);
}

static uint64_t number_of(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	return number < 0 ? 0 : (uint64_t)number;
}

static const json_t *find_pool(const json_t *root, const char *pool)
{
	const json_t *pools = json_object_get(root, "pools");

	for (size_t i = 0; i < json_array_size(pools); i++) {
		const json_t *one = json_array_get(pools, i);
		const char *name = json_string_value(json_object_get(one, "name"));

		if (name != NULL && strcmp(name, pool) == 0)
			return json_object_get(one, "stats");
	}
	return NULL;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int rados_pool_read_space(
	struct span json, const char *pool, struct rados_pool_space *out, struct err *err)
{
	json_t *root = load(json, err);
	const json_t *stats;
	uint64_t stored, quota, most;

	if (root == NULL)
		return -1;
	stats = find_pool(root, pool);
	if (stats == NULL || number_of(json_object_get(root, "stats"), "total_bytes") == 0) {
		json_decref(root);
		return err_set(
			err, ERR_UNREACHABLE, "the cluster does not tell the room of %.60s", pool);
	}
	stored = least(number_of(stats, "stored"), INT64_MAX);
	out->free = least(number_of(stats, "max_avail"), INT64_MAX);
	quota = number_of(stats, "quota_bytes");
	if (quota > 0)
		out->free = least(out->free, quota > stored ? quota - stored : 0);
	most = number_of(stats, "quota_objects");
	if (most > 0 && number_of(stats, "objects") >= most)
		out->free = 0;
	out->total = stored + out->free;
	json_decref(root);
	return 0;
}
