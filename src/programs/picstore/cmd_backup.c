/* cmd_backup.c - picstore backup: a copy of everything, brought up to date.
 *
 * Runs beside everything.  docs/backup.md says why the order is right. */
#include "meta/db_copy.h"
#include "programs/picstore/backup_files.h"
#include "programs/picstore/backup_places.h"
#include "programs/picstore/commands.h"
#include "programs/picstore/progress.h"
#include "store/volume_copy.h"
#include "store/volume_list.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct backup {
	struct cli *cli;
	const char *to;
	struct volume_copied sums;
};

static void tell_damage(void *context, const char *file, const struct err *why)
{
	const struct backup *backup = context;

	cli_say(backup->cli, "%s: %s", file, why->text);
}

static int copy_store(
	struct backup *backup, const struct backup_place *place, const char *to, struct err *err)
{
	const struct volume_store store = {
		.folder = place->here, .path = place->path, .group = place->storage->group
	};

	if (volume_list_check(place->here, err) != 0)
		return -1;
	for (int number = -1; (number = volume_list_next(place->here, number)) >= 0;)
		if (volume_copy(&store, to, (uint16_t)number, tell_damage, backup, &backup->sums,
			    err) != 0)
			return -1;
	return 0;
}

static int copy_place(void *context, const struct backup_place *place, struct err *err)
{
	struct backup *backup = context;
	char to[BACKUP_PATH];
	int result = -1;

	if ((size_t)snprintf(to, sizeof to, "%s/%s%s", backup->to, place->copy,
		    place->kind == BACKUP_STORE ? "/" : "") >= sizeof to)
		return err_set(err, ERR_CONFIG, "the path %s is too long", backup->to);
	if (backup_folders_above(to, err) != 0)
		return -1;
	switch (place->kind) {
	case BACKUP_FILE:
		result = backup_copy_file(place->here, to, place->mode, err);
		break;
	case BACKUP_DATABASE:
		result = db_copy(place->here, to, err);
		break;
	case BACKUP_STORE:
		to[strlen(to) - 1] = '\0';
		result = copy_store(backup, place, to, err);
		break;
	}
	if (result == 0 || err->code != ERR_NOT_FOUND || place->kind == BACKUP_STORE)
		return result;
	/* What there is no more must not come back. */
	unlink(to);
	return 0;
}

static int lock_folder(const char *folder, struct err *err)
{
	char path[BACKUP_PATH];
	int fd;

	if ((size_t)snprintf(path, sizeof path, "%s/lock", folder) >= sizeof path)
		return err_set(err, ERR_CONFIG, "the path %s is too long", folder);
	if (backup_folders_above(path, err) != 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, "cannot open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return err_set(err, ERR_BUSY, "another backup to %s is under way", folder);
}

static void print_sums(const struct backup *backup, bool json)
{
	const struct volume_copied *sums = &backup->sums;
	char size[16];

	if (json) {
		json_t *line = json_object();

		json_object_set_new(line, "volumes", json_integer((json_int_t)sums->volumes));
		json_object_set_new(line, "unchanged", json_integer((json_int_t)sums->skipped));
		json_object_set_new(line, "bytes", json_integer((json_int_t)sums->bytes));
		json_object_set_new(line, "deleted", json_integer((json_int_t)sums->deleted));
		json_object_set_new(line, "damaged", json_integer((json_int_t)sums->damaged));
		cli_json(line);
		return;
	}
	progress_size(size, sums->bytes);
	printf("volumes: %" PRIu64 ", unchanged: %" PRIu64
	       ", written: %s, deletions carried over: %" PRIu64 ", damaged: %" PRIu64 "\n",
		sums->volumes, sums->skipped, size, sums->deleted, sums->damaged);
}

static int backup_run(struct cli *cli, const struct args *args)
{
	const struct settings *settings = cli_settings(cli);
	struct backup backup = { .cli = cli, .to = args->operands[0] };
	struct err err;
	int lock, result;

	if (settings == NULL)
		return CLI_USAGE;
	lock = lock_folder(backup.to, &err);
	if (lock < 0)
		return cli_fail(cli, &err);
	result = backup_places(settings, copy_place, &backup, &err);
	close(lock);
	if (result != 0)
		return cli_fail(cli, &err);
	print_sums(&backup, args_has(args, "json"));
	return backup.sums.damaged == 0 ? CLI_OK : CLI_FAILED;
}

static const struct arg_option options[] = {
	{ '\0', "json", NULL, "print one JSON object" },
	{ 0 },
};

const struct command command_backup = {
	.name = "backup",
	.operands = "DIR",
	.summary = "copy everything of this machine to a folder, or bring the copy up to date",
	.about = "Runs beside everything.  What was deleted is deleted in the copy too.  Damaged\n"
		 "records do not replace good copies of them; if there are any the exit status\n"
		 "is 1.  \"picstore restore\" puts it back.",
	.options = options,
	.least = 1,
	.most = 1,
	.run = backup_run,
};
