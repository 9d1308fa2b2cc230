#include "sim_inside.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sim_folder_of(const char *path, char name[SIM_NAME_MAX])
{
	int at = SIM_ROOT;

	assert(path[0] == '/');
	for (;;) {
		size_t len;

		while (*path == '/')
			path++;
		len = strcspn(path, "/");
		assert(len < SIM_NAME_MAX);
		memcpy(name, path, len);
		name[len] = '\0';
		path += len;
		if (*path == '\0')
			return at;
		at = sim_image_find(&sim_disk->now, at, name);
		if (at == SIM_NONE || !sim_disk->now.nodes[at].is_folder)
			return SIM_NONE;
	}
}

int sim_find(const char *path)
{
	char name[SIM_NAME_MAX];
	int folder = sim_folder_of(path, name);

	if (folder == SIM_NONE || name[0] == '\0')
		return folder;
	return sim_image_find(&sim_disk->now, folder, name);
}

/* The lowest number that no file has: real disks use them again, too. */
static unsigned free_number(void)
{
	bool used[1024] = { false };

	sim_image_sweep(&sim_disk->now, sim_is_open);
	for (size_t i = 0; i < sim_disk->now.count; i++)
		if (!sim_disk->now.nodes[i].is_gone)
			used[sim_disk->now.nodes[i].number % 1024] = true;
	for (unsigned i = 11; i < 1024; i++)
		if (!used[i])
			return i;
	abort();
}

int sim_create(int folder, const char *name, bool is_folder)
{
	struct sim_event event = {
		.what = SIM_CREATE,
		.node = (int)sim_disk->now.count,
		.number = free_number(),
		.is_folder = is_folder,
	};

	sim_happen(event);
	event.what = SIM_NAME;
	event.folder = folder;
	strcpy(event.name, name);
	sim_happen(event);
	return event.node;
}

int sim_stat(const char *path, struct stat *st)
{
	int node;

	sim_enter();
	node = sim_find(path);
	if (node == SIM_NONE)
		return sim_refuse(ENOENT);
	sim_fill_stat(node, st);
	return sim_leave(0);
}

int sim_mkdir(const char *path, mode_t mode)
{
	char name[SIM_NAME_MAX];
	int folder;

	(void)mode;
	sim_enter();
	folder = sim_folder_of(path, name);
	if (folder == SIM_NONE)
		return sim_refuse(ENOENT);
	if (name[0] == '\0' || sim_image_find(&sim_disk->now, folder, name) != SIM_NONE)
		return sim_refuse(EEXIST);
	sim_create(folder, name, true);
	return sim_leave(0);
}

int sim_link(const char *from, const char *to)
{
	struct sim_event event = { .what = SIM_NAME };

	sim_enter();
	event.node = sim_find(from);
	event.folder = sim_folder_of(to, event.name);
	if (event.node == SIM_NONE || event.folder == SIM_NONE)
		return sim_refuse(ENOENT);
	if (sim_image_find(&sim_disk->now, event.folder, event.name) != SIM_NONE)
		return sim_refuse(EEXIST);
	sim_happen(event);
	return sim_leave(0);
}

int sim_rename(const char *from, const char *to)
{
	struct sim_event event = { .what = SIM_RENAME };
	int folder;

	sim_enter();
	event.node = sim_find(from);
	folder = sim_folder_of(from, event.from);
	event.folder = sim_folder_of(to, event.name);
	if (event.node == SIM_NONE || event.folder == SIM_NONE)
		return sim_refuse(ENOENT);
	assert(folder == event.folder);
	sim_happen(event);
	return sim_leave(0);
}

int sim_unlink(const char *path)
{
	struct sim_event event = { .what = SIM_UNNAME };

	sim_enter();
	event.folder = sim_folder_of(path, event.name);
	if (event.folder == SIM_NONE ||
		sim_image_find(&sim_disk->now, event.folder, event.name) == SIM_NONE)
		return sim_refuse(ENOENT);
	sim_happen(event);
	return sim_leave(0);
}

int sim_list(const char *path, void (*found)(void *context, const char *name), void *context)
{
	int node;

	sim_enter();
	node = sim_find(path);
	if (node == SIM_NONE)
		return sim_refuse(ENOENT);
	if (!sim_disk->now.nodes[node].is_folder)
		return sim_refuse(ENOTDIR);
	for (size_t i = 0; i < sim_disk->now.nodes[node].entry_count; i++)
		found(context, sim_disk->now.nodes[node].entries[i].name);
	return sim_leave(0);
}

int sim_statvfs(const char *path, struct statvfs *out)
{
	(void)path;
	*out = (struct statvfs){
		.f_frsize = 4096, .f_blocks = 1 << 28, .f_bfree = 1 << 28, .f_bavail = 1 << 28
	};
	return 0;
}
