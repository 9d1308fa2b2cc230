#include "sim_image.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sim_blob {
	size_t refs, cap;
	uint8_t bytes[];
};

static void unref(struct sim_blob *blob)
{
	if (blob != NULL && --blob->refs == 0)
		free(blob);
}

int sim_image_add(struct sim_image *image, bool is_folder, unsigned number)
{
	if (image->count == image->cap) {
		image->cap = image->cap == 0 ? 16 : image->cap * 2;
		image->nodes = realloc(image->nodes, image->cap * sizeof image->nodes[0]);
		assert(image->nodes != NULL);
	}
	image->nodes[image->count] = (struct sim_node){ .is_folder = is_folder, .number = number };
	return (int)image->count++;
}

void sim_image_init(struct sim_image *image)
{
	*image = (struct sim_image){ 0 };
	sim_image_add(image, true, 2);
}

static void empty(struct sim_node *node)
{
	unref(node->blob);
	free(node->entries);
	*node = (struct sim_node){ .is_gone = true };
}

void sim_image_fini(struct sim_image *image)
{
	for (size_t i = 0; i < image->count; i++)
		empty(&image->nodes[i]);
	free(image->nodes);
	*image = (struct sim_image){ 0 };
}

void sim_image_copy(struct sim_image *to, const struct sim_image *from)
{
	*to = *from;
	to->cap = from->count;
	to->nodes = malloc(from->count * sizeof to->nodes[0]);
	assert(to->nodes != NULL);
	for (size_t i = 0; i < from->count; i++) {
		struct sim_node *node = &to->nodes[i];

		*node = from->nodes[i];
		if (node->blob != NULL)
			node->blob->refs++;
		if (node->entries == NULL)
			continue;
		node->entries = malloc(node->entry_cap * sizeof node->entries[0]);
		assert(node->entries != NULL);
		memcpy(node->entries, from->nodes[i].entries,
			node->entry_count * sizeof node->entries[0]);
	}
}

void sim_image_share(struct sim_image *to, int node, const struct sim_image *from, int of)
{
	to->nodes[node].blob = from->nodes[of].blob;
	to->nodes[node].size = from->nodes[of].size;
	if (to->nodes[node].blob != NULL)
		to->nodes[node].blob->refs++;
}

static void mark_reachable(const struct sim_image *image, int folder, bool *reachable)
{
	const struct sim_node *node = &image->nodes[folder];

	reachable[folder] = true;
	for (size_t i = 0; i < node->entry_count; i++) {
		int child = node->entries[i].node;

		if (image->nodes[child].is_folder && !reachable[child])
			mark_reachable(image, child, reachable);
		reachable[child] = true;
	}
}

void sim_image_sweep(struct sim_image *image, bool (*is_open)(int node))
{
	bool *reachable = calloc(image->count, sizeof *reachable);

	assert(reachable != NULL);
	mark_reachable(image, SIM_ROOT, reachable);
	for (size_t i = 0; i < image->count; i++)
		if (!reachable[i] && !image->nodes[i].is_gone &&
			(is_open == NULL || !is_open((int)i)))
			empty(&image->nodes[i]);
	free(reachable);
}

static struct sim_entry *entry(const struct sim_image *image, int folder, const char *name)
{
	const struct sim_node *node = &image->nodes[folder];

	assert(node->is_folder);
	for (size_t i = 0; i < node->entry_count; i++)
		if (strcmp(node->entries[i].name, name) == 0)
			return &node->entries[i];
	return NULL;
}

int sim_image_find(const struct sim_image *image, int folder, const char *name)
{
	const struct sim_entry *found = entry(image, folder, name);

	return found == NULL ? SIM_NONE : found->node;
}

void sim_image_set(struct sim_image *image, int folder, const char *name, int child)
{
	struct sim_entry *found = entry(image, folder, name);
	struct sim_node *node = &image->nodes[folder];

	if (found == NULL) {
		if (node->entry_count == node->entry_cap) {
			node->entry_cap = node->entry_cap == 0 ? 8 : node->entry_cap * 2;
			node->entries = realloc(
				node->entries, node->entry_cap * sizeof node->entries[0]);
			assert(node->entries != NULL);
		}
		found = &node->entries[node->entry_count++];
		assert(strlen(name) < sizeof found->name);
		strcpy(found->name, name);
	}
	found->node = child;
}

void sim_image_unset(struct sim_image *image, int folder, const char *name)
{
	struct sim_entry *found = entry(image, folder, name);
	struct sim_node *node = &image->nodes[folder];

	if (found == NULL)
		return;
	node->entry_count--;
	*found = node->entries[node->entry_count];
}

uint8_t *sim_image_bytes(struct sim_image *image, int at, size_t size)
{
	struct sim_node *node = &image->nodes[at];
	struct sim_blob *blob = node->blob;
	size_t cap = blob == NULL ? 0 : blob->cap;

	assert(!node->is_folder);
	if (blob != NULL && blob->refs == 1 && cap >= size)
		return blob->bytes;
	if (cap < size)
		cap = size + size / 4 + 4096;
	blob = calloc(1, sizeof *blob + cap);
	assert(blob != NULL);
	blob->refs = 1;
	blob->cap = cap;
	if (node->blob != NULL)
		memcpy(blob->bytes, node->blob->bytes, node->blob->cap);
	unref(node->blob);
	node->blob = blob;
	return blob->bytes;
}

const uint8_t *sim_image_read(const struct sim_image *image, int node)
{
	return image->nodes[node].blob == NULL ? NULL : image->nodes[node].blob->bytes;
}

void sim_image_write(
	struct sim_image *image, int node, size_t offset, const uint8_t *data, size_t len)
{
	if (len == 0)
		return;
	memcpy(sim_image_bytes(image, node, offset + len) + offset, data, len);
	if (image->nodes[node].size < offset + len)
		image->nodes[node].size = offset + len;
}

void sim_image_zero(struct sim_image *image, int node, size_t offset, size_t len)
{
	size_t size = image->nodes[node].size;

	if (offset >= size)
		return;
	if (len > size - offset)
		len = size - offset;
	memset(sim_image_bytes(image, node, size) + offset, 0, len);
}

void sim_image_resize(struct sim_image *image, int node, size_t size)
{
	if (size < image->nodes[node].size)
		sim_image_zero(image, node, size, image->nodes[node].size - size);
	else
		sim_image_bytes(image, node, size);
	image->nodes[node].size = size;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
	return hash ^ (hash >> 29);
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t len)
{
	uint64_t word;

	for (; len >= sizeof word; len -= sizeof word, bytes += sizeof word) {
		memcpy(&word, bytes, sizeof word);
		hash = mix(hash, word);
	}
	for (; len > 0; len--)
		hash = mix(hash, *bytes++);
	return hash;
}

static uint64_t hash_node(const struct sim_image *image, int at)
{
	const struct sim_node *node = &image->nodes[at];
	uint64_t sum = 0;

	if (!node->is_folder)
		return node->size == 0
			       ? mix(3, 0)
			       : hash_bytes(mix(3, node->size), node->blob->bytes, node->size);
	for (size_t i = 0; i < node->entry_count; i++) { /* in any order */
		const struct sim_entry *one = &node->entries[i];

		sum += mix(hash_bytes(7, (const uint8_t *)one->name, strlen(one->name)),
			hash_node(image, one->node));
	}
	return mix(5, sum);
}

uint64_t sim_image_hash(const struct sim_image *image)
{
	return hash_node(image, SIM_ROOT);
}
