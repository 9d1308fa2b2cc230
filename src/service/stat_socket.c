#include "service/stat_socket.h"

#include "core/clock.h"
#include "net/bind.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "picstore_build.h"

struct stat_socket {
	const struct service *service;
	const char *instance;
	int64_t started_ms;
	int listener;
	pthread_t thread;
};

void stat_socket_path(const char *run_dir, const char *name, const char *instance, char out[256])
{
	bool has = instance != NULL && instance[0] != '\0';

	snprintf(out, 256, "%s/%s%s%s.stat", run_dir, name, has ? "-" : "", has ? instance : "");
}

static char *figures(const struct stat_socket *stat)
{
	const struct service *service = stat->service;
	json_t *counters = json_object(), *all;
	char *text;

	for (size_t i = 0; i < service->counter_count; i++)
		json_object_set_new(counters, service->counters[i].name,
			json_integer(atomic_load(&service->counters[i].value)));
	all = json_pack("{s:s, s:s, s:I, s:s, s:I, s:o}", "name", service->name, "instance",
		stat->instance, "pid", (json_int_t)getpid(), "version", PICSTORE_VERSION, "uptime",
		(json_int_t)((clock_mono_ms() - stat->started_ms) / 1000), "counters", counters);
	text = json_dumps(all, 0);
	json_decref(all);
	return text;
}

static void *answer(void *context)
{
	struct stat_socket *stat = context;
	struct timeval patience = { .tv_sec = 1 };

	for (;;) {
		int fd = accept4(stat->listener, NULL, NULL, SOCK_CLOEXEC);
		char *text;

		if (fd < 0 && (errno == EINVAL || errno == EBADF)) /* shut down */
			return NULL;
		if (fd < 0) {
			usleep(10000); /* no descriptors left, say: no reason to spin */
			continue;
		}
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
		text = figures(stat);
		/* The caller sees a short answer for what it is: broken JSON. */
		if (text != NULL && send(fd, text, strlen(text), MSG_NOSIGNAL) > 0)
			send(fd, "\n", 1, MSG_NOSIGNAL);
		free(text);
		close(fd);
	}
}

struct stat_socket *stat_socket_open(
	const struct service *service, const struct service_context *context, struct err *err)
{
	struct stat_socket *stat = calloc(1, sizeof *stat);
	char path[256], address[256 + 5];
	int status;

	if (stat == NULL)
		abort();
	stat_socket_path(context->settings->run_dir, service->name, context->instance, path);
	snprintf(address, sizeof address, "unix:%s", path);
	stat->service = service;
	stat->instance = context->instance == NULL ? "" : context->instance;
	stat->started_ms = clock_mono_ms();
	stat->listener = bind_listen(address, 0666, 16, err); /* figures are no secret */
	if (stat->listener < 0) {
		free(stat);
		return NULL;
	}
	status = pthread_create(&stat->thread, NULL, answer, stat);
	if (status != 0) {
		err_set(err, ERR_INTERNAL, "cannot start a thread: %s", strerror(status));
		bind_close(stat->listener);
		free(stat);
		return NULL;
	}
	return stat;
}

void stat_socket_close(struct stat_socket *stat)
{
	if (stat == NULL)
		return;
	shutdown(stat->listener, SHUT_RDWR);
	pthread_join(stat->thread, NULL);
	bind_close(stat->listener);
	free(stat);
}
