#include "programs/picstore/front.h"

#include "core/log.h"
#include "programs/picstore/cli.h"

#include <signal.h>
#include <string.h>

#include "picstore_build.h"

enum { COMMANDS_MAX = 40 };

struct front {
	const struct command *const *commands;
	size_t count;
};

static void overview(const struct front *front, FILE *to)
{
	fputs("usage: picstore [-c FILE] COMMAND [options] ...\n\n"
	      "Keeps, fetches and removes pictures, and looks after the store.\n\ncommands:\n",
		to);
	for (size_t i = 0; i < front->count; i++)
		fprintf(to, "  %-10s %s\n", front->commands[i]->name, front->commands[i]->summary);
	fputs("\n\"picstore help COMMAND\" says more.  Exit status: 0 done, 1 failed, 2 wrong "
	      "use.\n",
		to);
}

static const struct command *find(const struct front *front, const char *name)
{
	for (size_t i = 0; i < front->count; i++)
		if (strcmp(front->commands[i]->name, name) == 0)
			return front->commands[i];
	return NULL;
}

static int unknown_command(const struct front *front, const char *name)
{
	const char *names[COMMANDS_MAX + 1], *nearest;
	size_t count = 0;

	for (; count < front->count && count < COMMANDS_MAX; count++)
		names[count] = front->commands[count]->name;
	names[count++] = "help";
	nearest = args_nearest(name, names, count);
	fprintf(stderr, "picstore: there is no command '%.40s'%s%s%s; see \"picstore help\"\n",
		name, nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
		nearest == NULL ? "" : "?");
	return CLI_USAGE;
}

/* A line a command: its name, then its options, for etc/completion. */
static void print_words(const struct front *front)
{
	for (size_t i = 0; i < front->count; i++) {
		const struct arg_option *option = front->commands[i]->options;

		printf("%s", front->commands[i]->name);
		for (; option != NULL && option->name != NULL; option++)
			printf(" --%s%s", option->name, option->value == NULL ? "" : "=");
		for (option = args_common; option->name != NULL; option++)
			printf(" --%s%s", option->name, option->value == NULL ? "" : "=");
		putchar('\n');
	}
}

static int help(const struct front *front, char *const *words)
{
	const struct command *command;

	if (words[0] == NULL) {
		overview(front, stdout);
		return CLI_OK;
	}
	if (strcmp(words[0], "--words") == 0) {
		print_words(front);
		return CLI_OK;
	}
	command = find(front, words[0]);
	if (command == NULL)
		return unknown_command(front, words[0]);
	args_help(command, stdout);
	return CLI_OK;
}

static int run(const struct command *command, const char *config, int argc, char *const *argv)
{
	struct cli cli = { .config = config, .command = command->name };
	struct args args;
	struct err err;
	int status;

	if (args_parse(command, argc, argv, &args, &err) < 0)
		return cli_fail(&cli, &err);
	if (args_has(&args, "help")) {
		args_help(command, stdout);
		status = CLI_OK;
	} else {
		if (args_has(&args, "config"))
			cli.config = args_value(&args, "config");
		status = command->run(&cli, &args);
	}
	args_fini(&args);
	cli_fini(&cli);
	/* A full disk behind stdout must not pass for success. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == CLI_OK) {
		fputs("picstore: cannot write to stdout\n", stderr);
		status = CLI_FAILED;
	}
	return status;
}

int front_main(const struct command *const *commands, size_t count, int argc, char **argv)
{
	struct front front = { commands, count };
	const struct command *command;
	const char *config = NULL;
	int i = 1;

	log_init("picstore", LOG_WARN);
	for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			overview(&front, stdout);
			return CLI_OK;
		}
		if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
			puts("picstore " PICSTORE_VERSION "\nengines: " PICSTORE_ENGINES);
			return CLI_OK;
		}
		if ((strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0) &&
			i + 1 < argc) {
			config = argv[++i];
		} else if (strncmp(argv[i], "--config=", 9) == 0) {
			config = argv[i] + 9;
		} else {
			fprintf(stderr, "picstore: unknown option %.40s; see \"picstore --help\"\n",
				argv[i]);
			return CLI_USAGE;
		}
	}
	if (i == argc) {
		overview(&front, stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[i], "help") == 0)
		return help(&front, argv + i + 1);
	command = find(&front, argv[i]);
	if (command == NULL)
		return unknown_command(&front, argv[i]);
	return run(command, config, argc - i - 1, argv + i + 1);
}
