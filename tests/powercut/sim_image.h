/* sim_image.h - files and folders in memory, by number: one state of a disk. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_NAME_MAX = 60, SIM_ROOT = 0, SIM_NONE = -1 };

struct sim_blob; /* bytes, shared until somebody writes */

struct sim_entry {
	char name[SIM_NAME_MAX];
	int node;
};

struct sim_node {
	bool is_folder, is_gone;
	unsigned number;       /* what stat() calls st_ino */
	struct sim_blob *blob; /* of a file; NULL: empty */
	size_t size;
	struct sim_entry *entries; /* of a folder */
	size_t entry_count, entry_cap;
};

struct sim_image {
	struct sim_node *nodes;
	size_t count, cap;
};

void sim_image_init(struct sim_image *image); /* with a root folder */
void sim_image_fini(struct sim_image *image);
void sim_image_copy(struct sim_image *to, const struct sim_image *from); /* shares bytes */

/* Give a file the bytes of another image's. */
void sim_image_share(struct sim_image *to, int node, const struct sim_image *from, int of);

int sim_image_add(struct sim_image *image, bool is_folder, unsigned number);

/* Free what no folder names, but for those `is_open` says. */
void sim_image_sweep(struct sim_image *image, bool (*is_open)(int node));

int sim_image_find(const struct sim_image *image, int folder, const char *name);
void sim_image_set(struct sim_image *image, int folder, const char *name, int node);
void sim_image_unset(struct sim_image *image, int folder, const char *name);

/* The bytes of a file with room for `size` of them, to be written to; zero behind its size. */
uint8_t *sim_image_bytes(struct sim_image *image, int node, size_t size);
const uint8_t *sim_image_read(const struct sim_image *image, int node);

void sim_image_write(
	struct sim_image *image, int node, size_t offset, const uint8_t *data, size_t len);
void sim_image_zero(struct sim_image *image, int node, size_t offset, size_t len);
void sim_image_resize(struct sim_image *image, int node, size_t size);

uint64_t sim_image_hash(const struct sim_image *image);
