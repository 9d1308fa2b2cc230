#include "store/volume_list.h"

#include "core/disk.h"
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

/* The value of two upper case hexadecimal digits in front of `rest`, or -1. */
static int hex_name(const char *name, const char *rest)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *high, *low;

	if (strlen(name) != 2 + strlen(rest) || strcmp(name + 2, rest) != 0)
		return -1;
	high = strchr(digits, name[0]);
	low = strchr(digits, name[1]);
	return high == NULL || low == NULL ? -1 : (int)((high - digits) << 4 | (low - digits));
}

struct pick {
	const char *rest;
	int above, below, best;
	bool high;
};

static void consider(void *context, const char *name)
{
	struct pick *pick = context;
	int number = hex_name(name, pick->rest);

	if (number <= pick->above || number >= pick->below)
		return;
	if (pick->best < 0 || (pick->high ? number > pick->best : number < pick->best))
		pick->best = number;
}

/* Of the numbers above `above` and below `below` among the names in a folder, the
 * highest or the lowest; -1 if there is none. */
static int pick(const char *path, const char *rest, int above, int below, bool high)
{
	struct pick pick = { rest, above, below, -1, high };

	return disk->list(path, consider, &pick) == 0 ? pick.best : -1;
}

static int pick_folder(const char *folder, int above, int below, bool high)
{
	char path[VOLUME_PATH_MAX];

	snprintf(path, sizeof path, "%s/data", folder);
	return pick(path, "", above, below, high);
}

static int pick_volume(const char *folder, int in, int above, bool high)
{
	char path[VOLUME_PATH_MAX];
	int low;

	snprintf(path, sizeof path, "%s/data/%02X", folder, (unsigned)in);
	low = pick(path, ".vol", above, 256, high);
	return low < 0 ? -1 : in << 8 | low;
}

int volume_list_newest(const char *folder)
{
	int in = 256, number = -1;

	/* A folder may be empty: the one for the next volume is made before that. */
	while (number < 0 && (in = pick_folder(folder, -1, in, true)) >= 0)
		number = pick_volume(folder, in, -1, true);
	return number;
}

int volume_list_next(const char *folder, int after)
{
	int in = after < 0 ? -1 : after >> 8;
	int number = in < 0 ? -1 : pick_volume(folder, in, after & 255, false);

	while (number < 0 && (in = pick_folder(folder, in, 256, false)) >= 0)
		number = pick_volume(folder, in, -1, false);
	return number;
}

static void pass_over(void *context, const char *name)
{
	(void)context;
	(void)name;
}

static int check_folder(const char *path, struct err *err)
{
	if (disk->list(path, pass_over, NULL) == 0 || errno == ENOENT)
		return 0;
	return err_errno(err, "cannot list the volumes in %s", path);
}

int volume_list_check(const char *folder, struct err *err)
{
	char path[VOLUME_PATH_MAX];

	snprintf(path, sizeof path, "%s/data", folder);
	if (check_folder(path, err) != 0)
		return -1;
	for (int in = -1; (in = pick_folder(folder, in, 256, false)) >= 0;) {
		snprintf(path, sizeof path, "%s/data/%02X", folder, (unsigned)in);
		if (check_folder(path, err) != 0)
			return -1;
	}
	return 0;
}

int volume_list_lock(const char *folder, struct err *err)
{
	char path[VOLUME_PATH_MAX];
	int fd;

	snprintf(path, sizeof path, "%s/lock", folder);
	fd = disk->open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_errno(err, "cannot open %s", path);
	if (disk->flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (errno == EWOULDBLOCK)
		err_set(err, ERR_BUSY, "store path %s is in use: another process has locked %s",
			folder, path);
	else
		err_errno(err, "cannot lock %s", path);
	disk->close(fd);
	return -1;
}
