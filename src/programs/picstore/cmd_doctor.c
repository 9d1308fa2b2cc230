/* cmd_doctor.c - picstore doctor: makes the steps, and says what came of them. */
#include "core/clock.h"
#include "programs/picstore/doctor_steps.h"
#include "programs/picstore/tiny_png.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void report(struct doctor *d, const struct doctor_step *step, const char *outcome,
	int64_t us, const char *text)
{
	bool failed = strcmp(outcome, "FAIL") == 0;

	if (d->json) {
		json_t *one = json_object();

		json_object_set_new(one, "step", json_string(step->name));
		json_object_set_new(one, "outcome",
			json_string(failed   ? "failed"
				    : us < 0 ? "skipped"
					     : "ok"));
		if (us >= 0)
			json_object_set_new(one, "ms", json_real((double)us / 1000));
		if (text[0] != '\0')
			json_object_set_new(one, "text", json_string(text));
		if (failed)
			json_object_set_new(one, "next", json_string(step->next));
		json_array_append_new(d->steps, one);
		return;
	}
	if (us < 0)
		printf("%-4s %s\n", outcome, step->name);
	else
		printf("%-4s %-26s %6.1f ms%s%s\n", outcome, step->name, (double)us / 1000,
			text[0] == '\0' ? "" : "  ", text);
	if (failed)
		printf("     next: %s\n", step->next);
	fflush(stdout); /* who waits wants to see where it stands */
}

static void run_step(struct doctor *d, const struct doctor_step *step)
{
	int64_t began = clock_mono_us();
	struct err err = { .code = ERR_NONE };

	if ((step->needs & ~d->done) != 0) {
		d->skipped++;
		report(d, step, "skip", -1, "");
		return;
	}
	d->note[0] = '\0';
	if (step->run(d, &err) == 0) {
		d->done |= step->gives;
		report(d, step, "ok", clock_mono_us() - began, d->note);
	} else {
		d->failed++;
		report(d, step, "FAIL", clock_mono_us() - began, err.text);
	}
}

static void finish(struct doctor *d)
{
	if (d->json) {
		json_t *all = json_object();

		json_object_set_new(all, "ok", json_boolean(d->failed == 0));
		json_object_set_new(all, "url", json_string(d->base));
		json_object_set(all, "steps", d->steps);
		cli_json(all);
	} else if (d->failed == 0) {
		printf("All is well at %s.\n", d->base);
	} else {
		printf("%zu step%s failed, %zu could not be tried.\n", d->failed,
			d->failed == 1 ? "" : "s", d->skipped);
	}
}

static int doctor_run(struct cli *cli, const struct args *args)
{
	struct doctor d = { .cli = cli, .json = args_has(args, "json") };
	const char *url;
	size_t len;

	d.settings = cli_settings(cli);
	d.client = d.settings == NULL ? NULL : cli_client(cli);
	if (d.settings == NULL || d.client == NULL)
		return CLI_USAGE;
	url = args_has(args, "url") ? args_value(args, "url") : d.settings->public_url;
	len = strlen(url);
	while (len > 0 && url[len - 1] == '/')
		len--;
	if (len == 0 || len >= sizeof d.base) {
		cli_say(cli, "public_url is not the address of the cache");
		return CLI_USAGE;
	}
	snprintf(d.base, sizeof d.base, "%.*s", (int)len, url);
	if (getrandom(&d.seed, sizeof d.seed, 0) != sizeof d.seed)
		abort();
	d.web = web_new();
	d.steps = json_array();
	web_response_init(&d.response);
	buf_init(&d.picture, 64 << 10);
	tiny_png(&d.picture, d.seed);
	for (size_t i = 0; i < doctor_step_count; i++)
		run_step(&d, &doctor_steps[i]);
	finish(&d);
	json_decref(d.steps);
	buf_fini(&d.picture);
	web_response_fini(&d.response);
	web_free(d.web);
	return d.failed == 0 ? CLI_OK : CLI_FAILED;
}

static const struct arg_option options[] = {
	{ '\0', "url", "URL", "test the cache there (default: public_url)" },
	{ '\0', "json", NULL, "print one JSON object" },
	{ 0 },
};

const struct command command_doctor = {
	.name = "doctor",
	.operands = "",
	.summary = "test a running installation with a picture's whole life",
	.about = "Uploads a small picture of noise through the public port, fetches it in every\n"
		 "way, deletes it and checks that it is gone; nothing stays behind.  Each step "
		 "that\n"
		 "fails says what to look at.",
	.options = options,
	.least = 0,
	.most = 0,
	.run = doctor_run,
};
