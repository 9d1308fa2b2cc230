/* sim_inside.h - what the files of the table sim_ops know of each other: sim_disk.c has the
 * lock, descriptors and files, sim_names.c folders and names. */
#pragma once

#include "sim_event.h"

/* The disk that is worked on: under the lock, as all that it has and all below. */
extern struct sim *sim_disk;

void sim_enter(void);
int sim_leave(int result); /* returns it */
int sim_refuse(int why);   /* leave with -1 and errno */

void sim_happen(struct sim_event event);

/* Has a descriptor this node? */
bool sim_is_open(int node);
void sim_fill_stat(int node, struct stat *st);

/* ---- sim_names.c ---- */

/* The folder and the last name of `path`; SIM_NONE if a folder is missing. */
int sim_folder_of(const char *path, char name[SIM_NAME_MAX]);
int sim_find(const char *path);
int sim_create(int folder, const char *name, bool is_folder);

int sim_stat(const char *path, struct stat *st);
int sim_mkdir(const char *path, mode_t mode);
int sim_link(const char *from, const char *to);
int sim_rename(const char *from, const char *to);
int sim_unlink(const char *path);
int sim_list(const char *path, void (*found)(void *context, const char *name), void *context);
int sim_statvfs(const char *path, struct statvfs *out);
