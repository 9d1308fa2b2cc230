#include "store/rados_cluster.h"

#include "core/clock.h"
#include "core/steady_cond.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	POOL_NAME_MAX = 200,
	PROFILE_MAX = 200,
	LOOK_EVERY_S = 5,
};

/* Where nobody can tell how much room there is, uploads are to be tried. */
static const uint64_t UNKNOWN_SPACE = UINT64_C(1) << 40;

struct rados_cluster {
	rados_t handle;
	rados_ioctx_t pool;
	int64_t pool_id;
	char pool_name[POOL_NAME_MAX + 1];

	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct rados_pool_space space;
	bool stop, looking;
	pthread_t look_thread;
};

/* ---- questions to the monitors ---- */

static void add_text(json_t *command, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(command, key, json_string(value));
}

/* Ask; the answer goes to `out`, for rados_buffer_free. */
static int ask(const struct rados_cluster *cluster, json_t *command, struct span *out)
{
	char *text, *answer = NULL, *words = NULL;
	size_t len = 0, words_len = 0;
	int result;

	add_text(command, "format", "json");
	text = json_dumps(command, JSON_COMPACT);
	json_decref(command);
	assert(text != NULL);
	result = rados_lib.mon_command(cluster->handle, (const char *[]){ text }, 1, "", 0, &answer,
		&len, &words, &words_len);
	free(text);
	rados_lib.buffer_free(words);
	*out = span_of(answer, answer == NULL ? 0 : len);
	return result;
}

static int ask_pool(const struct rados_cluster *cluster, const char *var, struct span *out)
{
	json_t *command = json_object();

	add_text(command, "prefix", "osd pool get");
	add_text(command, "pool", cluster->pool_name);
	add_text(command, "var", var);
	return ask(cluster, command, out);
}

static int pool_number(
	const struct rados_cluster *cluster, const char *var, int64_t *out, struct err *err)
{
	struct span answer;
	int result = ask_pool(cluster, var, &answer);

	if (result < 0)
		err_set(err, ERR_UNREACHABLE, "the cluster does not tell the %s of pool %s: %s",
			var, cluster->pool_name, strerror(-result));
	else
		result = rados_pool_read_number(answer, var, out, err);
	rados_lib.buffer_free((char *)answer.data);
	return result < 0 ? -1 : 0;
}

/* Of an erasure coded pool: how many chunks it takes to read an object. */
static int profile_k(
	const struct rados_cluster *cluster, const char *profile, int64_t *out, struct err *err)
{
	json_t *command = json_object();
	struct span answer;
	int result;

	add_text(command, "prefix", "osd erasure-code-profile get");
	add_text(command, "name", profile);
	result = ask(cluster, command, &answer);
	if (result < 0)
		err_set(err, ERR_UNREACHABLE, "the cluster does not tell of profile %s: %s",
			profile, strerror(-result));
	else
		result = rados_pool_read_number(answer, "k", out, err);
	rados_lib.buffer_free((char *)answer.data);
	return result < 0 ? -1 : 0;
}

static int check_copies(
	const struct rados_cluster *cluster, const struct engine_rados_conf *conf, struct err *err)
{
	struct rados_pool_copies copies = { .needed = 1 };
	char profile[PROFILE_MAX + 1];
	struct err few;
	struct span answer;
	bool coded;

	if (pool_number(cluster, "size", &copies.size, err) != 0 ||
		pool_number(cluster, "min_size", &copies.min_size, err) != 0)
		return -1;
	/* EACCES: it has none, being replicated */
	coded = ask_pool(cluster, "erasure_code_profile", &answer) == 0 &&
		rados_pool_read_text(answer, "erasure_code_profile", profile, PROFILE_MAX);
	rados_lib.buffer_free((char *)answer.data);
	if (coded && profile_k(cluster, profile, &copies.needed, err) != 0)
		return -1;
	if (rados_pool_check(cluster->pool_name, &copies, &few) == 0)
		return 0;
	if (!conf->any_replicas) {
		*err = few;
		return -1;
	}
	if (conf->warn != NULL)
		conf->warn(few.text);
	return 0;
}

/* ---- room ---- */

static void look_at_space(struct rados_cluster *cluster)
{
	json_t *command = json_object();
	struct rados_pool_space space;
	struct span answer;

	add_text(command, "prefix", "df");
	add_text(command, "detail", "detail");
	if (ask(cluster, command, &answer) == 0 &&
		rados_pool_read_space(answer, cluster->pool_name, &space, NULL) == 0) {
		pthread_mutex_lock(&cluster->mutex);
		cluster->space = space;
		pthread_mutex_unlock(&cluster->mutex);
	}
	rados_lib.buffer_free((char *)answer.data);
}

static void *look(void *arg)
{
	struct rados_cluster *cluster = arg;
	int64_t next_ms;

	pthread_mutex_lock(&cluster->mutex);
	while (!cluster->stop) {
		pthread_mutex_unlock(&cluster->mutex);
		look_at_space(cluster);
		pthread_mutex_lock(&cluster->mutex);
		next_ms = clock_mono_ms() + LOOK_EVERY_S * 1000;
		while (!cluster->stop &&
			steady_cond_wait_ms(&cluster->wake, &cluster->mutex, next_ms))
			;
	}
	pthread_mutex_unlock(&cluster->mutex);
	return NULL;
}

struct rados_pool_space rados_cluster_space(struct rados_cluster *cluster)
{
	struct rados_pool_space space;

	pthread_mutex_lock(&cluster->mutex);
	space = cluster->space;
	pthread_mutex_unlock(&cluster->mutex);
	return space;
}

/* ---- the connection ---- */

static int set(
	struct rados_cluster *cluster, const char *option, const char *value, struct err *err)
{
	int result = rados_lib.conf_set(cluster->handle, option, value);

	if (result < 0)
		return err_set(err, ERR_CONFIG, "librados refuses %s = %s: %s", option, value,
			strerror(-result));
	return 0;
}

static int set_seconds(
	struct rados_cluster *cluster, const char *option, int64_t ms, struct err *err)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRId64, ms <= 1000 ? 1 : (ms + 999) / 1000);
	return set(cluster, option, text, err);
}

/* Fewer threads than librados starts by itself do the same work in three quarters of the CPU
 * time: they wake each other less.  Who has configured another number has it. */
static int set_threads(struct rados_cluster *cluster, struct err *err)
{
	static const struct {
		const char *option, *usual, *ours;
	} rows[] = {
		{ "ms_async_op_threads", "3", "1" },
		{ "librados_thread_count", "2", "1" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char now[16] = "";

		if (rados_lib.conf_get(cluster->handle, rows[i].option, now, sizeof now) == 0 &&
			strcmp(now, rows[i].usual) == 0 &&
			set(cluster, rows[i].option, rows[i].ours, err) != 0)
			return -1;
	}
	return 0;
}

/* By default librados waits for ever, writes where nobody looks, and holds up whoever begins
 * something while 100 MB are under way. */
static int set_options(
	struct rados_cluster *cluster, const struct engine_rados_conf *conf, struct err *err)
{
	if (set_seconds(cluster, "client_mount_timeout", conf->connect_timeout_ms, err) != 0 ||
		set_seconds(cluster, "rados_mon_op_timeout", conf->connect_timeout_ms, err) != 0 ||
		set_seconds(cluster, "rados_osd_op_timeout", conf->timeout_ms / 2, err) != 0 ||
		set(cluster, "log_file", "", err) != 0 ||
		set(cluster, "log_to_stderr", "false", err) != 0 ||
		set(cluster, "err_to_stderr", "false", err) != 0 ||
		set(cluster, "admin_socket", "", err) != 0 ||
		set(cluster, "objecter_inflight_op_bytes", "1073741824", err) != 0 ||
		set_threads(cluster, err) != 0)
		return -1;
	return conf->keyring[0] == '\0' ? 0 : set(cluster, "keyring", conf->keyring, err);
}

/* What librados would tell with a bare number. */
static int check_file(const char *what, const char *file, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, ERR_CONFIG, "%s %.180s: %s", what, file, strerror(errno));
	close(fd);
	return 0;
}

static int connect_failed(const struct engine_rados_conf *conf, int result, struct err *err)
{
	switch (-result) {
	case EPERM:
	case EACCES:
		return err_set(err, ERR_CONFIG, "the cluster does not let %s in: its key is wrong",
			conf->user);
	case ENOENT:
		return err_set(err, ERR_CONFIG,
			"%.180s names no monitors, or there is no key of %s", conf->conf_file,
			conf->user);
	case EINVAL:
		return err_set(err, ERR_CONFIG, "what %.180s says makes no sense to librados",
			conf->conf_file);
	default:
		return err_set(err, ERR_UNREACHABLE, "the cluster of %.160s does not answer: %s",
			conf->conf_file, strerror(-result));
	}
}

static int connect_to(
	struct rados_cluster *cluster, const struct engine_rados_conf *conf, struct err *err)
{
	int result = rados_lib.create2(&cluster->handle, "ceph", conf->user, 0);

	if (result < 0) {
		cluster->handle = NULL;
		return err_set(err, ERR_CONFIG, "'%.60s' is no user of a Ceph cluster: %s",
			conf->user, strerror(-result));
	}
	result = rados_lib.conf_read_file(cluster->handle, conf->conf_file);
	if (result < 0)
		return err_set(err, ERR_CONFIG, "%.180s cannot be read as a ceph.conf: %s",
			conf->conf_file, strerror(-result));
	if (set_options(cluster, conf, err) != 0)
		return -1;
	result = rados_lib.connect(cluster->handle);
	return result < 0 ? connect_failed(conf, result, err) : 0;
}

static int open_pool(
	struct rados_cluster *cluster, const struct engine_rados_conf *conf, struct err *err)
{
	int result = rados_lib.ioctx_create(cluster->handle, conf->pool, &cluster->pool);

	if (result < 0) {
		cluster->pool = NULL;
		return err_set(err, result == -ENOENT ? ERR_CONFIG : ERR_UNREACHABLE,
			"pool %s does not open: %s", conf->pool, strerror(-result));
	}
	cluster->pool_id = rados_lib.ioctx_get_id(cluster->pool);
	rados_lib.ioctx_set_namespace(cluster->pool, conf->name_space);
	return check_copies(cluster, conf, err);
}

struct rados_cluster *rados_cluster_open(const struct engine_rados_conf *conf, struct err *err)
{
	struct rados_cluster *cluster;

	if (conf->pool[0] == '\0' || strlen(conf->pool) > POOL_NAME_MAX) {
		err_set(err, ERR_CONFIG, "'%.60s' is no name of a pool", conf->pool);
		return NULL;
	}
	if (rados_lib_load(err) != 0)
		return NULL;
	if (check_file("ceph.conf", conf->conf_file, err) != 0 ||
		(conf->keyring[0] != '\0' && check_file("keyring", conf->keyring, err) != 0))
		return NULL;
	cluster = calloc(1, sizeof *cluster);
	assert(cluster != NULL);
	strcpy(cluster->pool_name, conf->pool);
	cluster->space = (struct rados_pool_space){ UNKNOWN_SPACE, UNKNOWN_SPACE };
	pthread_mutex_init(&cluster->mutex, NULL);
	steady_cond_init(&cluster->wake);
	if (connect_to(cluster, conf, err) != 0 || open_pool(cluster, conf, err) != 0) {
		rados_cluster_close(cluster);
		return NULL;
	}
	cluster->looking = pthread_create(&cluster->look_thread, NULL, look, cluster) == 0;
	return cluster;
}

void rados_cluster_close(struct rados_cluster *cluster)
{
	if (cluster->looking) {
		pthread_mutex_lock(&cluster->mutex);
		cluster->stop = true;
		pthread_cond_signal(&cluster->wake);
		pthread_mutex_unlock(&cluster->mutex);
		pthread_join(cluster->look_thread, NULL);
	}
	if (cluster->pool != NULL)
		rados_lib.ioctx_destroy(cluster->pool);
	if (cluster->handle != NULL)
		rados_lib.shutdown(cluster->handle);
	pthread_mutex_destroy(&cluster->mutex);
	pthread_cond_destroy(&cluster->wake);
	free(cluster);
}

rados_ioctx_t rados_cluster_pool(const struct rados_cluster *cluster)
{
	return cluster->pool;
}

bool rados_cluster_has_pool(const struct rados_cluster *cluster)
{
	char name[POOL_NAME_MAX + 1];

	return rados_lib.pool_reverse_lookup(
		       cluster->handle, cluster->pool_id, name, sizeof name) >= 0;
}
