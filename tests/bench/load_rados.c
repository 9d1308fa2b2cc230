/* load_rados - puts and gets objects with nothing but librados: the rival of a storage_server
 * on a Ceph pool.
 *
 *     load_rados -f CEPH.CONF -u USER -k KEYRING -p POOL -c IN_FLIGHT -n COUNT -b BYTES
 *                -x PREFIX put|get
 *
 * A put is one operation that makes the object and writes it, as picstore's is; -c of them are
 * under way, without a thread each.  The bytes follow from the number; each get must have its
 * length, and of every eighth all bytes are compared.  Prints the report of load.h. */
#include "load.h"

#include "core/clock.h"

#include <pthread.h>
#include <rados/librados.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IN_FLIGHT_MAX = 256, BYTES_MAX = 8 << 20, NAME_MAX_LEN = 100, COMPARED = 8 };

struct operation {
	size_t number;
	int64_t start_us;
	rados_completion_t completion;
	rados_write_op_t write;
	char *bytes, name[NAME_MAX_LEN];
	bool again; /* it has been used */
};

static size_t count, len = 1, in_flight = 1;
static const char *prefix;
static bool gets;
static rados_ioctx_t pool;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct operation *idle[IN_FLIGHT_MAX];
static size_t idle_count, wrong, checked;
static struct load_times times;

static void must(int result, const char *what)
{
	if (result < 0)
		load_die("%s: %s", what, strerror(-result));
}

static void fill(char *bytes, size_t number)
{
	uint64_t state = number * 0x9e3779b97f4a7c15 + 1;

	for (size_t i = 0; i < len; i += 8) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(bytes + i, &state, 8); /* there is room for seven more */
	}
}

static bool is_right(const struct operation *operation, int result)
{
	char *expected;
	bool right;

	if (!gets || operation->number % COMPARED != 0)
		return gets ? result == (int)len : result == 0;
	expected = malloc(len + 8);
	if (expected == NULL)
		load_die("out of memory");
	fill(expected, operation->number);
	right = result == (int)len && memcmp(expected, operation->bytes, len) == 0;
	free(expected);
	checked++;
	return right;
}

static void on_end(rados_completion_t completion, void *context)
{
	struct operation *operation = context;
	int result = rados_aio_get_return_value(completion);

	pthread_mutex_lock(&mutex);
	load_times_add(&times, operation->start_us, clock_mono_us());
	if (!is_right(operation, result)) {
		fprintf(stderr, "%s: %d\n", operation->name, result);
		wrong++;
	}
	idle[idle_count++] = operation;
	pthread_cond_signal(&ended);
	pthread_mutex_unlock(&mutex);
}

static struct operation *take_idle(void)
{
	struct operation *operation;

	pthread_mutex_lock(&mutex);
	while (idle_count == 0)
		pthread_cond_wait(&ended, &mutex);
	operation = idle[--idle_count];
	pthread_mutex_unlock(&mutex);
	return operation;
}

static void release(struct operation *operation)
{
	if (!operation->again)
		return;
	rados_aio_release(operation->completion);
	if (operation->write != NULL)
		rados_release_write_op(operation->write);
}

static void start(struct operation *operation, size_t number)
{
	release(operation);
	operation->again = true;
	operation->number = number;
	snprintf(operation->name, sizeof operation->name, "%s%zu", prefix, number);
	if (!gets)
		fill(operation->bytes, number);
	must(rados_aio_create_completion2(operation, on_end, &operation->completion), "completion");
	operation->start_us = clock_mono_us();
	if (gets) {
		must(rados_aio_read(pool, operation->name, operation->completion, operation->bytes,
			     len + 1, 0),
			"read");
		return;
	}
	operation->write = rados_create_write_op();
	rados_write_op_create(operation->write, LIBRADOS_CREATE_EXCLUSIVE, NULL);
	rados_write_op_write_full(operation->write, operation->bytes, len);
	must(rados_aio_write_op_operate(operation->write, pool, operation->completion,
		     operation->name, NULL, LIBRADOS_OPERATION_FULL_TRY),
		"write");
}

static void run(void)
{
	struct operation *operations = calloc(in_flight, sizeof *operations);

	if (operations == NULL)
		load_die("out of memory");
	for (size_t i = 0; i < in_flight; i++) {
		operations[i].bytes = malloc(len + 8);
		if (operations[i].bytes == NULL)
			load_die("out of memory");
		idle[idle_count++] = &operations[i];
	}
	for (size_t i = 0; i < count; i++)
		start(take_idle(), i);
	for (size_t i = 0; i < in_flight; i++) {
		struct operation *operation = take_idle();

		release(operation);
		free(operation->bytes);
	}
	free(operations);
}

int main(int argc, char **argv)
{
	const char *conf = NULL, *user = NULL, *keyring = NULL, *pool_name = NULL;
	rados_t cluster;

	for (int opt; (opt = getopt(argc, argv, "f:u:k:p:c:n:b:x:")) != -1;)
		if (opt == 'f')
			conf = optarg;
		else if (opt == 'u')
			user = optarg;
		else if (opt == 'k')
			keyring = optarg;
		else if (opt == 'p')
			pool_name = optarg;
		else if (opt == 'c')
			in_flight = (size_t)load_number(optarg, 1, IN_FLIGHT_MAX);
		else if (opt == 'n')
			count = (size_t)load_number(optarg, 1, 10000000);
		else if (opt == 'b')
			len = (size_t)load_number(optarg, 1, BYTES_MAX);
		else if (opt == 'x')
			prefix = optarg;
		else
			return 2;
	if (conf == NULL || user == NULL || keyring == NULL || pool_name == NULL || count == 0 ||
		prefix == NULL || strlen(prefix) > NAME_MAX_LEN / 2 || optind != argc - 1)
		load_die("see the head of load_rados.c");
	gets = strcmp(argv[optind], "get") == 0;
	must(rados_create2(&cluster, "ceph", user, 0), "user");
	must(rados_conf_read_file(cluster, conf), conf);
	must(rados_conf_set(cluster, "keyring", keyring), keyring);
	must(rados_conf_set(cluster, "log_file", ""), "log_file");
	must(rados_connect(cluster), "connect");
	must(rados_ioctx_create(cluster, pool_name, &pool), pool_name);
	run();
	rados_ioctx_destroy(pool);
	rados_shutdown(cluster);
	load_report(&times, wrong, checked, (uint64_t)times.count * len);
	return wrong == 0 ? 0 : 1;
}
