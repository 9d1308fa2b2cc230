#include "fake_rados.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
/* Found by name, as librados is. */
#pragma GCC visibility push(default)
#include <rados/librados.h>
#pragma GCC visibility pop
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECTS = 1000 };

struct object {
	char name[200];
	uint8_t *data;
	size_t len;
};

static struct object objects[OBJECTS];
static size_t object_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static struct {
	int result;
	bool done;
	unsigned times;
} faults[FAKE_OPS];

static struct {
	enum fake_rados_spoil how;
	unsigned times;
} spoils;

struct fake_rados fake_rados;

void fake_rados_reset(void)
{
	while (object_count > 0)
		free(objects[--object_count].data);
	memset(faults, 0, sizeof faults);
	memset(&spoils, 0, sizeof spoils);
	fake_rados = (struct fake_rados){ .size = 3, .min_size = 2, .df = "{}", .threads = "3" };
}

void fake_rados_fail(enum fake_rados_op op, int result, bool done, unsigned times)
{
	faults[op].result = result;
	faults[op].done = done;
	faults[op].times = times;
}

void fake_rados_spoil(enum fake_rados_spoil how, unsigned times)
{
	spoils.how = how;
	spoils.times = times;
}

unsigned fake_rados_count(void)
{
	return (unsigned)object_count;
}

static struct object *find(const char *name)
{
	for (size_t i = 0; i < object_count; i++)
		if (strcmp(objects[i].name, name) == 0)
			return &objects[i];
	return NULL;
}

static void add(const char *name, const char *data, size_t len)
{
	struct object *object = &objects[object_count++];

	assert(object_count <= OBJECTS && strlen(name) < sizeof object->name);
	strcpy(object->name, name);
	object->data = malloc(len + 1);
	assert(object->data != NULL);
	if (len > 0)
		memcpy(object->data, data, len);
	object->len = len;
}

void fake_rados_add(const char *name, const char *content)
{
	add(name, content, strlen(content));
}

/* Carry it out unless it is to fail undone; a fault's result is given in place of its own. */
static int carry_out(enum fake_rados_op op, int flags, int (*work)(void *context), void *context)
{
	int result = 0;

	pthread_mutex_lock(&mutex);
	fake_rados.flags[op] = flags;
	fake_rados.asked++;
	if (faults[op].times == 0 || faults[op].done)
		result = fake_rados.pool_is_gone ? -ENOENT : work(context);
	if (faults[op].times > 0) {
		faults[op].times--;
		result = faults[op].result;
	}
	pthread_mutex_unlock(&mutex);
	return result;
}

/* ---- the cluster ---- */

CEPH_RADOS_API int rados_create2(
	rados_t *cluster, const char *const name, const char *const user, uint64_t flags)
{
	(void)name;
	(void)flags;
	if (strchr(user, '.') == NULL)
		return -EINVAL;
	*cluster = &fake_rados;
	return 0;
}

CEPH_RADOS_API int rados_conf_read_file(rados_t cluster, const char *path)
{
	(void)cluster;
	(void)path;
	return 0;
}

CEPH_RADOS_API int rados_conf_set(rados_t cluster, const char *option, const char *value)
{
	(void)cluster;
	assert(fake_rados.option_count < 40);
	snprintf(fake_rados.options[fake_rados.option_count++], sizeof fake_rados.options[0],
		"%s=%s", option, value);
	return 0;
}

CEPH_RADOS_API int rados_conf_get(rados_t cluster, const char *option, char *buf, size_t len)
{
	(void)cluster;
	if (strcmp(option, "ms_async_op_threads") != 0)
		return -ENOENT;
	snprintf(buf, len, "%s", fake_rados.threads);
	return 0;
}

CEPH_RADOS_API int rados_connect(rados_t cluster)
{
	(void)cluster;
	return fake_rados.connect;
}

CEPH_RADOS_API void rados_shutdown(rados_t cluster)
{
	(void)cluster;
}

CEPH_RADOS_API int rados_ioctx_create(rados_t cluster, const char *pool, rados_ioctx_t *io)
{
	if (strcmp(pool, "pics") != 0)
		return -ENOENT;
	*io = cluster;
	return 0;
}

CEPH_RADOS_API void rados_ioctx_destroy(rados_ioctx_t io)
{
	(void)io;
}

CEPH_RADOS_API int64_t rados_ioctx_get_id(rados_ioctx_t io)
{
	(void)io;
	return 1;
}

CEPH_RADOS_API void rados_ioctx_set_namespace(rados_ioctx_t io, const char *name)
{
	(void)io;
	(void)name;
}

CEPH_RADOS_API int rados_pool_reverse_lookup(rados_t cluster, int64_t id, char *out, size_t max)
{
	(void)cluster;
	(void)id;
	return fake_rados.pool_is_gone ? -ENOENT : snprintf(out, max, "pics");
}

CEPH_RADOS_API void rados_buffer_free(char *buf)
{
	free(buf);
}

CEPH_RADOS_API int rados_mon_command(rados_t cluster, const char **cmd, size_t cmdlen,
	const char *inbuf, size_t inbuflen, char **outbuf, size_t *outbuflen, char **outs,
	size_t *outslen)
{
	char text[4000] = "";

	(void)cluster, (void)cmdlen, (void)inbuf, (void)inbuflen;
	*outs = NULL;
	*outslen = 0;
	if (strstr(cmd[0], "\"df\"") != NULL)
		snprintf(text, sizeof text, "%s", fake_rados.df);
	else if (strstr(cmd[0], "\"min_size\"") != NULL && fake_rados.min_size > 0)
		snprintf(text, sizeof text, "{\"min_size\":%d}", fake_rados.min_size);
	else if (strstr(cmd[0], "\"size\"") != NULL && fake_rados.size > 0)
		snprintf(text, sizeof text, "{\"pool\":\"pics\",\"pool_id\":1,\"size\":%d}",
			fake_rados.size);
	else if (strstr(cmd[0], "\"erasure_code_profile\"") != NULL && fake_rados.k > 0)
		snprintf(text, sizeof text, "{\"erasure_code_profile\":\"wide\"}");
	else if (strstr(cmd[0], "\"wide\"") != NULL)
		snprintf(text, sizeof text, "{\"k\":\"%d\",\"m\":\"2\"}", fake_rados.k);
	else
		return -EACCES;
	*outbuf = strdup(text);
	*outbuflen = strlen(text);
	return 0;
}

/* ---- objects ---- */

struct read {
	char *to;
	size_t len;
	size_t *read;
	int *result;
	const char *name;
	uint64_t *size;
	int *stat_result;
};

CEPH_RADOS_API rados_read_op_t rados_create_read_op(void)
{
	return calloc(1, sizeof(struct read));
}

CEPH_RADOS_API void rados_release_read_op(rados_read_op_t op)
{
	free(op);
}

CEPH_RADOS_API void rados_read_op_read(rados_read_op_t op, uint64_t offset, size_t len,
	char *buffer, size_t *bytes_read, int *prval)
{
	assert(offset == 0);
	*(struct read *)op = (struct read){ .to = buffer,
		.len = len,
		.read = bytes_read,
		.result = prval,
		.size = ((struct read *)op)->size,
		.stat_result = ((struct read *)op)->stat_result };
}

CEPH_RADOS_API void rados_read_op_stat(
	rados_read_op_t op, uint64_t *psize, time_t *pmtime, int *prval)
{
	((struct read *)op)->size = psize;
	((struct read *)op)->stat_result = prval;
	*pmtime = 0;
}

static int do_read(void *context)
{
	struct read *read = context;
	struct object *object = find(read->name);

	if (object == NULL)
		return -ENOENT;
	*read->size = object->len;
	*read->stat_result = 0;
	if (read->to == NULL)
		return 0;
	*read->read = object->len < read->len ? object->len : read->len;
	memcpy(read->to, object->data, *read->read);
	*read->result = 0;
	if (spoils.times == 0)
		return 0;
	spoils.times--;
	if (spoils.how == FAKE_WRONG)
		read->to[0] ^= 1;
	else if (spoils.how == FAKE_SHORT)
		--*read->size, --*read->read;
	else
		++*read->size;
	return 0;
}

CEPH_RADOS_API int rados_read_op_operate(
	rados_read_op_t op, rados_ioctx_t io, const char *oid, int flags)
{
	(void)io;
	((struct read *)op)->name = oid;
	return carry_out(FAKE_READ, flags, do_read, op);
}

struct completion {
	void (*done)(rados_completion_t completion, void *context);
	void *context;
	int result;
};

CEPH_RADOS_API int rados_aio_create_completion2(
	void *cb_arg, rados_callback_t cb_complete, rados_completion_t *pc)
{
	struct completion *completion = calloc(1, sizeof *completion);

	assert(completion != NULL);
	completion->done = cb_complete;
	completion->context = cb_arg;
	*pc = completion;
	return 0;
}

CEPH_RADOS_API int rados_aio_get_return_value(rados_completion_t c)
{
	return ((struct completion *)c)->result;
}

CEPH_RADOS_API void rados_aio_release(rados_completion_t c)
{
	free(c);
}

/* It is done when this returns. */
CEPH_RADOS_API int rados_aio_read_op_operate(rados_read_op_t op, rados_ioctx_t io,
	rados_completion_t completion, const char *oid, int flags)
{
	struct completion *own = completion;

	own->result = rados_read_op_operate(op, io, oid, flags);
	own->done(completion, own->context);
	return 0;
}

struct stat_of {
	const char *name;
	uint64_t *size;
};

static int do_stat(void *context)
{
	struct stat_of *stat = context;
	struct object *object = find(stat->name);

	if (object == NULL)
		return -ENOENT;
	*stat->size = object->len;
	return 0;
}

CEPH_RADOS_API int rados_stat(rados_ioctx_t io, const char *o, uint64_t *psize, time_t *pmtime)
{
	struct stat_of stat = { o, psize };

	(void)io;
	*pmtime = 0;
	return carry_out(FAKE_STAT, 0, do_stat, &stat);
}

struct write {
	const char *data, *name;
	size_t len;
	bool exclusive, remove;
};

CEPH_RADOS_API rados_write_op_t rados_create_write_op(void)
{
	return calloc(1, sizeof(struct write));
}

CEPH_RADOS_API void rados_release_write_op(rados_write_op_t op)
{
	free(op);
}

CEPH_RADOS_API void rados_write_op_create(rados_write_op_t op, int exclusive, const char *category)
{
	(void)category;
	((struct write *)op)->exclusive = exclusive == LIBRADOS_CREATE_EXCLUSIVE;
}

CEPH_RADOS_API void rados_write_op_write_full(rados_write_op_t op, const char *buffer, size_t len)
{
	((struct write *)op)->data = buffer;
	((struct write *)op)->len = len;
}

CEPH_RADOS_API void rados_write_op_remove(rados_write_op_t op)
{
	((struct write *)op)->remove = true;
}

static int do_write(void *context)
{
	struct write *write = context;
	struct object *object = find(write->name);

	if (write->remove) {
		if (object == NULL)
			return -ENOENT;
		free(object->data);
		*object = objects[--object_count];
		return 0;
	}
	assert(write->exclusive);
	if (object != NULL)
		return -EEXIST;
	add(write->name, write->data, write->len);
	return 0;
}

CEPH_RADOS_API int rados_write_op_operate(
	rados_write_op_t op, rados_ioctx_t io, const char *oid, time_t *mtime, int flags)
{
	struct write *write = op;

	(void)io;
	(void)mtime;
	write->name = oid;
	return carry_out(write->remove ? FAKE_REMOVE : FAKE_PUT, flags, do_write, write);
}

/* ---- lists ---- */

CEPH_RADOS_API int rados_nobjects_list_open(rados_ioctx_t io, rados_list_ctx_t *list)
{
	(void)io;
	*list = calloc(1, sizeof(size_t));
	return 0;
}

static int do_next(void *context)
{
	const char ***out = context;
	size_t *at = (size_t *)out[0];

	if (*at >= object_count)
		return -ENOENT;
	*out[1] = objects[(*at)++].name;
	return 0;
}

CEPH_RADOS_API int rados_nobjects_list_next(
	rados_list_ctx_t list, const char **entry, const char **key, const char **nspace)
{
	void *context[2] = { list, entry };

	(void)key;
	(void)nspace;
	return carry_out(FAKE_LIST, 0, do_next, context);
}

CEPH_RADOS_API void rados_nobjects_list_close(rados_list_ctx_t list)
{
	free(list);
}
