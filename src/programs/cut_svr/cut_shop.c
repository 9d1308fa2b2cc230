#include "programs/cut_svr/cut_shop.h"

#include "core/clock.h"
#include "core/crc32.h"
#include "image/picture_mark.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	CLEAN_MAX = 20,
	STORE_TRIES = 2,        /* while nobody knows what became of the one before */
	STORE_AGAIN_MS = 10000, /* after which whoever asked has waited long enough */
};

/* A cut that is being made, and who waits for it. */
struct order {
	struct order *next;
	struct file_id source;
	char source_text[FILE_ID_TEXT_MAX + 1];
	struct cut_wish wish;
	unsigned waiting;
	bool done;
	enum cut_way way;
	struct cut_name made;
	struct err err;
};

struct cut_shop {
	struct cut_tools tools;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct order *orders; /* under `lock` */
};

struct cut_shop *cut_shop_new(const struct cut_tools *tools)
{
	struct cut_shop *shop = calloc(1, sizeof *shop);

	assert(shop != NULL);
	shop->tools = *tools;
	pthread_mutex_init(&shop->lock, NULL);
	pthread_cond_init(&shop->changed, NULL);
	return shop;
}

void cut_shop_free(struct cut_shop *shop)
{
	if (shop == NULL)
		return;
	assert(shop->orders == NULL);
	pthread_cond_destroy(&shop->changed);
	pthread_mutex_destroy(&shop->lock);
	free(shop);
}

static struct cut_key key_of(const struct order *order)
{
	const struct cut_wish *wish = &order->wish;

	return (struct cut_key){
		.source = order->source_text,
		.clip_w = wish->clip_w,
		.clip_h = wish->clip_h,
		.start_x = wish->start_x,
		.start_y = wish->start_y,
		.thumb_w = wish->thumb_w,
		.thumb_h = wish->thumb_h,
	};
}

static bool is_gone(const struct err *err)
{
	return err->code == ERR_NOT_FOUND || err->code == ERR_GONE;
}

/* Is the source still there, and all that it was itself made of?  They are deleted in the
 * other order, the first one first. */
static int stat_sources(const struct cut_tools *tools, struct order *order)
{
	struct err *err = &order->err;
	struct cut_name *names;
	struct file_id id;
	size_t count;
	int result = tools->stat(tools->context, &order->source, err);

	if (result < 0 ||
		cut_memory_origins(tools->memory, order->source_text, &names, &count, err) < 0)
		return -1;
	for (size_t i = 0; result == 0 && i < count; i++)
		if (file_id_parse(span_str(names[i].text), &id))
			result = tools->stat(tools->context, &id, err);
	free(names);
	return result;
}

/* 1: the cut that is remembered is there, and so is its source.  0: none is. */
static int look_up(const struct cut_tools *tools, struct order *order)
{
	struct cut_key key = key_of(order);
	struct file_id id;
	struct err *err = &order->err;
	int found = cut_memory_get(tools->memory, &key, &order->made, err);

	if (found != 1)
		return found;
	if (file_id_parse(span_str(order->made.text), &id) &&
		tools->stat(tools->context, &id, err) == 0)
		return stat_sources(tools, order) == 0 ? 1 : -1;
	if (err->code != ERR_NONE && !is_gone(err))
		return -1;
	*err = (struct err){ 0 };
	/* Perhaps only a storage that lags behind does not have it. */
	return cut_memory_supersede(tools->memory, &key, order->made.text, err);
}

/* Remove a picture that nobody was told of, which is remembered as doomed until then. */
static void remove_doomed(const struct cut_tools *tools, const char *text)
{
	struct file_id id;

	if (!file_id_parse(span_str(text), &id) || tools->remove(tools->context, &id, NULL) == 0)
		cut_memory_removed(tools->memory, text, NULL);
}

/* May a picture be in the store after this failure? */
static bool may_be_stored(const struct err *err)
{
	return err->code == ERR_UNKNOWN || err->code == ERR_IO || err->code == ERR_CORRUPT ||
	       err->code == ERR_INTERNAL;
}

/* It is stored but cannot be handed out. */
static void take_back(const struct cut_tools *tools, uint64_t number, const struct file_id *id)
{
	char text[FILE_ID_TEXT_MAX + 1];

	if (tools->remove(tools->context, id, NULL) == 0) {
		cut_memory_end(tools->memory, number, NULL);
		return;
	}
	/* If that cannot be noted, it is still to be searched for. */
	file_id_format(id, text);
	cut_memory_settle(tools->memory, number, text, NULL);
}

/* Make the bytes unlike all others and store them.  The memory knows of them before the
 * store does.  After it was told, the source is looked at: who deletes that removes it
 * first and then asks the memory what is on its way. */
static int store(const struct cut_tools *tools, struct order *order, struct span picture,
	enum picture_format format, uint64_t *number, struct file_id *id)
{
	struct cut_key key = key_of(order);
	struct cut_storing storing = { .length = 0 };
	struct err *err = &order->err;
	struct buf marked;
	int result = -1;

	buf_init(&marked, picture.len + PICTURE_MARK_MAX);
	if (getrandom(&storing.number, sizeof storing.number, 0) != sizeof storing.number) {
		err_set(err, ERR_INTERNAL, "no random bytes");
		goto end;
	}
	if (picture_mark(picture, format, storing.number, &marked, err) != 0)
		goto end;
	snprintf(storing.group, sizeof storing.group, "%s", order->source.group);
	storing.length = marked.len;
	storing.crc = crc32_add(0, buf_span(&marked));
	storing.time = clock_unix();
	*number = storing.number;
	if (cut_memory_begin(tools->memory, &key, &storing, err) != 0)
		goto end;
	if (stat_sources(tools, order) != 0) {
		cut_memory_end(tools->memory, *number, NULL);
		goto end;
	}
	result = tools->upload(tools->context, order->source.group, buf_span(&marked),
		picture_extension(format), id, err);
	if (result != 0 && !may_be_stored(err))
		cut_memory_end(tools->memory, *number, NULL);
end:
	buf_fini(&marked);
	return result;
}

/* Store the new picture and remember it, in an order that leaves no picture behind whose
 * source is deleted meanwhile: who deletes a source removes it from the store first and
 * then asks the memory, so either it finds the cut there, or the source is found to be
 * gone here. */
static int keep(
	struct cut_shop *shop, struct order *order, struct span picture, enum picture_format format)
{
	const struct cut_tools *tools = &shop->tools;
	struct cut_key key = key_of(order);
	struct err *err = &order->err;
	struct file_id id;
	int64_t until = clock_mono_ms() + STORE_AGAIN_MS;
	uint64_t number = 0;
	char text[FILE_ID_TEXT_MAX + 1];
	int result = -1;

	/* The next one has a number of its own, so that one that is found is nobody's. */
	for (int i = 0; i < STORE_TRIES && result != 0; i++) {
		if (i > 0 && (err->code != ERR_UNKNOWN || clock_mono_ms() >= until))
			break;
		result = store(tools, order, picture, format, &number, &id);
	}
	if (result != 0)
		return -1;
	*err = (struct err){ 0 };
	if (file_id_format(&id, text) > PACKAGE_URL_LEN) {
		take_back(tools, number, &id);
		return err_set(err, ERR_UNSUPPORTED, "the id %s does not fit a reply", text);
	}
	if (cut_memory_put(tools->memory, &key, text, number, &order->made, err) < 0) {
		take_back(tools, number, &id);
		return -1;
	}
	if (strcmp(order->made.text, text) != 0) /* another process was faster */
		remove_doomed(tools, text);
	if (stat_sources(tools, order) == 0)
		return 0;
	if (is_gone(err) && strcmp(order->made.text, text) == 0) {
		/* If that cannot be noted, it is still remembered as made of its source. */
		cut_memory_doom(tools->memory, &key, text, NULL);
		remove_doomed(tools, text);
	}
	return -1;
}

static int make(struct cut_shop *shop, struct order *order)
{
	const struct cut_tools *tools = &shop->tools;
	struct picture_facts made;
	struct buf picture, result;
	struct err *err = &order->err;
	int status = -1;

	buf_init(&picture, tools->max_bytes);
	buf_init(&result, tools->max_result);
	if (tools->download(tools->context, &order->source, &picture, err) == 0 &&
		tools->cut(tools->context, buf_span(&picture), &order->wish, &result, &made, err) ==
			0)
		status = keep(shop, order, buf_span(&result), made.format);
	buf_fini(&picture);
	buf_fini(&result);
	return status;
}

static void work(struct cut_shop *shop, struct order *order)
{
	int found = look_up(&shop->tools, order);

	if (found == 1)
		order->way = CUT_REMEMBERED;
	else if (found == 0 && make(shop, order) == 0)
		order->way = CUT_MADE;
	else
		order->way = CUT_FAILED;
}

void cut_shop_clean(struct cut_shop *shop)
{
	struct cut_name *doomed;
	size_t count = 0;

	if (cut_memory_doomed(shop->tools.memory, CLEAN_MAX, &doomed, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		remove_doomed(&shop->tools, doomed[i].text);
	free(doomed);
}

static bool is_same(const struct order *a, const struct order *b)
{
	return file_id_equal(&a->source, &b->source) &&
	       memcmp(&a->wish, &b->wish, sizeof a->wish) == 0;
}

static void unlist(struct cut_shop *shop, struct order *order)
{
	struct order **at = &shop->orders;

	while (*at != order)
		at = &(*at)->next;
	*at = order->next;
}

/* Do `mine`, or wait for one who does the same; `*mine` has the outcome. */
static void serve(struct cut_shop *shop, struct order *mine)
{
	struct order *order;

	pthread_mutex_lock(&shop->lock);
	for (order = shop->orders; order != NULL; order = order->next)
		if (is_same(order, mine))
			break;
	if (order != NULL) {
		order->waiting++;
		while (!order->done)
			pthread_cond_wait(&shop->changed, &shop->lock);
		mine->way = order->way == CUT_FAILED ? CUT_FAILED : CUT_SHARED;
		mine->made = order->made;
		mine->err = order->err;
		order->waiting--;
		pthread_cond_broadcast(&shop->changed);
		pthread_mutex_unlock(&shop->lock);
		return;
	}
	mine->next = shop->orders;
	shop->orders = mine;
	pthread_mutex_unlock(&shop->lock);
	work(shop, mine);
	pthread_mutex_lock(&shop->lock);
	unlist(shop, mine);
	mine->done = true;
	pthread_cond_broadcast(&shop->changed);
	while (mine->waiting > 0) /* they read `mine` */
		pthread_cond_wait(&shop->changed, &shop->lock);
	pthread_mutex_unlock(&shop->lock);
}

enum cut_way cut_shop_serve(struct cut_shop *shop, const struct package_cut *cut,
	struct package_url *url, struct err *err)
{
	struct order order = {
		.wish = {
			.thumb_w = cut->thumb_w,
			.thumb_h = cut->thumb_h,
		},
	};

	if (!file_id_parse(span_str(cut->url.text), &order.source)) {
		err_set(err, ERR_BAD_ID, "'%s' is not the id of a picture", cut->url.text);
		return CUT_FAILED;
	}
	if (cut->thumb_w == 0 || cut->thumb_h == 0) {
		err_set(err, ERR_BAD_REQUEST, "a picture of %u x %u pixels makes no sense",
			cut->thumb_w, cut->thumb_h);
		return CUT_FAILED;
	}
	if (cut->clip_w != 0 && cut->clip_h != 0) { /* else the rectangle means nothing */
		order.wish.clip_w = cut->clip_w;
		order.wish.clip_h = cut->clip_h;
		order.wish.start_x = cut->start_x;
		order.wish.start_y = cut->start_y;
	}
	file_id_format(&order.source, order.source_text);
	serve(shop, &order);
	if (order.way == CUT_FAILED)
		*err = order.err;
	else
		memcpy(url->text, order.made.text, sizeof url->text);
	return order.way;
}
