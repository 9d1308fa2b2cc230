/* cmd_restore.c - picstore restore: a backup, put back on a machine that has nothing. */
#include "programs/picstore/backup_files.h"
#include "programs/picstore/backup_places.h"
#include "programs/picstore/commands.h"
#include "store/volume.h"
#include "store/volume_list.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VOLUME_MODE = 0640 };

struct restore {
	const char *from;
	uint64_t volumes, files;
};

static bool is_conf(const struct backup_place *place)
{
	return strcmp(place->copy, "etc/picstore.conf") == 0;
}

/* Nothing that is there is ever written over. */
static int check_place(void *context, const struct backup_place *place, struct err *err)
{
	(void)context;
	if (place->kind == BACKUP_STORE && volume_list_newest(place->here) >= 0)
		return err_set(err, ERR_EXISTS, "store path %s has volumes already", place->here);
	if (place->kind != BACKUP_STORE && !is_conf(place) && access(place->here, F_OK) == 0)
		return err_set(err, ERR_EXISTS, "there is a %s already", place->here);
	return 0;
}

static int restore_store(struct restore *restore, const struct backup_place *place,
	const char *from, struct err *err)
{
	char source[VOLUME_PATH_MAX], target[VOLUME_PATH_MAX];

	if (volume_list_check(from, err) != 0)
		return -1;
	for (int number = -1; (number = volume_list_next(from, number)) >= 0;) {
		if (!volume_file(from, (uint16_t)number, source) ||
			!volume_file(place->here, (uint16_t)number, target))
			return err_set(err, ERR_CONFIG, "the path %s is too long", from);
		if (backup_folders_above(target, err) != 0 ||
			backup_copy_file(source, target, VOLUME_MODE, err) != 0)
			return -1;
		restore->volumes++;
	}
	return 0;
}

static int restore_place(void *context, const struct backup_place *place, struct err *err)
{
	struct restore *restore = context;
	char from[BACKUP_PATH];

	if ((size_t)snprintf(from, sizeof from, "%s/%s", restore->from, place->copy) >= sizeof from)
		return err_set(err, ERR_CONFIG, "the path %s is too long", restore->from);
	if (place->kind == BACKUP_STORE)
		return restore_store(restore, place, from, err);
	if (is_conf(place) || access(from, F_OK) != 0)
		return 0;
	restore->files++;
	if (backup_folders_above(place->here, err) != 0)
		return -1;
	return backup_copy_file(from, place->here, place->mode, err);
}

static int restore_run(struct cli *cli, const struct args *args)
{
	const struct settings *settings = cli_settings(cli);
	struct restore restore = { .from = args->operands[0] };
	char storages[BACKUP_PATH];
	struct err err;

	if (settings == NULL)
		return CLI_USAGE;
	if ((size_t)snprintf(storages, sizeof storages, "%s/storage", restore.from) >=
			sizeof storages ||
		access(storages, F_OK) != 0) {
		cli_say(cli, "%s is no backup", restore.from);
		return CLI_USAGE;
	}
	if (backup_places(settings, check_place, NULL, &err) != 0 ||
		backup_places(settings, restore_place, &restore, &err) != 0)
		return cli_fail(cli, &err);
	printf("volumes: %" PRIu64 ", other files: %" PRIu64 "\n", restore.volumes, restore.files);
	return CLI_OK;
}

static const struct arg_option options[] = { { 0 } };

const struct command command_restore = {
	.name = "restore",
	.operands = "DIR",
	.summary = "put a backup back where the configuration says, which must be empty",
	.about = "The configuration must be there: DIR/etc/picstore.conf, with other paths and "
		 "ports\n"
		 "if it is another machine.  Run it as the user that the daemons run as.  Nothing\n"
		 "that is there is written over.",
	.options = options,
	.least = 1,
	.most = 1,
	.run = restore_run,
};
