/* monitor.h - what all monitors share: options, thresholds, forms, watching, exit status.
 *
 *     -w, --warning  FIGURE=THRESHOLD,...   when to warn
 *     -c, --critical FIGURE=THRESHOLD,...   when it is critical
 *     --json, --prometheus, --plugin        instead of a table
 *     --watch[=SECONDS]                     again and again, until Ctrl-C
 *     --config FILE; -V, --version; -h, --help
 *
 * Exit status, as monitoring plug-ins have it: 0 OK, 1 warning, 2 critical, 3 unknown (also
 * for wrong options). */
#pragma once

#include "monitor/report.h"

struct monitor_option {
	char letter;
	const char *name;  /* without dashes */
	const char *value; /* what stands for it in help */
	const char *help;
};

struct monitor {
	const char *name;
	const char *label;                      /* in front of the state: "FDFS" */
	const char *summary;                    /* a line for --help */
	const char *operands;                   /* in help: "HOST..." */
	int least, most;                        /* operands */
	const struct report_kind *const *kinds; /* NULL-ended */
	const char *warning, *critical;         /* thresholds unless told otherwise */
	const struct monitor_option *options;   /* ended by a letter '\0'; NULL: none */

	/* An option of its own was given; `config` is --config. */
	int (*option)(void *context, char letter, const char *value, struct err *err);
	/* All options are read.  `config` is the file named by --config, or NULL. */
	int (*open)(void *context, const char *config, char **operands, int count, struct err *err);
	/* Look once and fill the report; thresholds are checked by the caller.  May be called
	 * again. */
	void (*look)(void *context, struct report *report);
	void *context;
};

int monitor_main(const struct monitor *monitor, int argc, char **argv);
