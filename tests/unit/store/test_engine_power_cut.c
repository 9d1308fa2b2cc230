/* The machine loses power at any moment, and with it any part of what was not flushed. */
#include "core/crc32.h"
#include "core/disk.h"
#include "store_kit.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All that is written to one volume, in order, with what became certain when. */
struct event {
	enum { EVENT_WRITE, EVENT_SIZE, EVENT_FLUSH, EVENT_PUT, EVENT_REMOVE } what;
	int64_t offset;
	struct span bytes;
	struct file_id id;
};

enum { EVENTS_MAX = 4000 };

static struct event events[EVENTS_MAX];
static size_t event_count;
static ino_t recorded; /* the volume's inode */

/* Called by the writer's thread alone, while there is one. */
static struct event *add_event(int fd, int what)
{
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || st.st_ino != recorded))
		return NULL;
	if (event_count == EVENTS_MAX)
		abort();
	events[event_count] = (struct event){ .what = what };
	return &events[event_count++];
}

static ssize_t record_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	for (off_t at = offset; count > 0; at += (off_t)iov->iov_len, iov++, count--) {
		struct event *event = add_event(fd, EVENT_WRITE);
		uint8_t *bytes = malloc(iov->iov_len + 1);

		memcpy(bytes, iov->iov_base, iov->iov_len);
		if (pwrite(fd, bytes, iov->iov_len, at) != (ssize_t)iov->iov_len)
			abort();
		if (event != NULL) {
			event->offset = at;
			event->bytes = span_of(bytes, iov->iov_len);
		} else {
			free(bytes);
		}
		offset = at + (off_t)iov->iov_len;
	}
	return offset;
}

static int record_fallocate(int fd, int mode, off_t offset, off_t len)
{
	struct event *event;

	if (fallocate(fd, mode, offset, len) != 0)
		return -1;
	event = add_event(fd, mode == 0 ? EVENT_SIZE : EVENT_WRITE);
	if (event != NULL && mode == 0)
		event->offset = offset + len;
	else if (event != NULL) {
		event->offset = offset;
		event->bytes = span_of(calloc(1, (size_t)len), (size_t)len);
	}
	return 0;
}

static int record_fdatasync(int fd)
{
	add_event(fd, EVENT_FLUSH);
	return 0;
}

static void record_put(struct engine_put *put)
{
	if (put->err.code != ERR_NONE)
		abort();
	add_event(-1, EVENT_PUT)->id = put->id;
}

static void record_remove(struct engine_remove *remove)
{
	if (remove->err.code != ERR_NONE)
		abort();
	add_event(-1, EVENT_REMOVE)->id = remove->id;
}

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 1664525 + 1013904223;
	return (dice_state >> 8) % sides;
}

/* Put `bytes` into the image: all, or each block of them or not. */
static void apply(uint8_t *image, const struct event *event, bool all)
{
	size_t at = (size_t)event->offset;

	for (size_t left = event->bytes.len, done = 0; left > 0;) {
		size_t n = 512 - at % 512;

		if (n > left)
			n = left;
		if (all || dice(2) == 0)
			memcpy(image + at, event->bytes.data + done, n);
		at += n;
		done += n;
		left -= n;
	}
}

/* The volume as a disk may have it when power fails before event `until`.  Returns its
 * size. */
static size_t crash_image(uint8_t *image, size_t size, size_t until)
{
	size_t flushed = 0;

	for (size_t i = 0; i < until; i++)
		if (events[i].what == EVENT_FLUSH)
			flushed = i;
	for (size_t i = 0; i < until; i++) {
		if (events[i].what == EVENT_WRITE)
			apply(image, &events[i], i < flushed);
		/* The size is in the journal together with the first block that needs it. */
		if (events[i].what == EVENT_SIZE && (size_t)events[i].offset > size)
			size = (size_t)events[i].offset;
	}
	return size;
}

static void check_after(struct kit *kit, size_t until)
{
	struct fsck_totals totals;
	struct file_id after;

	kit_open(kit, "volume");
	after = kit_put(kit, 7000, 77);
	for (size_t i = 0; i < until; i++) {
		bool removed = false;
		enum err_code code;

		if (events[i].what != EVENT_PUT)
			continue;
		code = kit_get_code(kit, &events[i].id);
		for (size_t k = i; k < until; k++)
			removed |= events[k].what == EVENT_REMOVE &&
				   file_id_equal(&events[k].id, &events[i].id);
		/* A remove that is not answered may have happened or not. */
		if (removed ? code != ERR_GONE : code != ERR_NONE && code != ERR_GONE)
			fail_msg("%s after a crash before event %zu: %s", events[i].id.name, until,
				err_word(code));
	}
	kit_expect(kit, &after, 7000, 77);
	kit_close(kit);
	totals = kit_fsck(kit, false, NULL);
	if (!fsck_clean(&totals))
		fail_msg("fsck is not content after a crash before event %zu", until);
}

enum { POWER_PUTS = 60, IMAGE_MAX = 8 << 20 };

/* Fill events[] with the life of a store in which much is under way at once. */
static void live(struct kit *kit)
{
	static struct engine_put puts[POWER_PUTS];
	static struct engine_remove removes[POWER_PUTS];
	struct disk_ops ops = disk_linux;

	ops.pwritev = record_pwritev;
	ops.fallocate = record_fallocate;
	ops.fdatasync = record_fdatasync;
	disk = &ops;
	kit_open(kit, "volume");
	for (unsigned i = 0; i < POWER_PUTS; i++) {
		size_t len = i % 7 == 0 ? 40000 : 100 + i * 97;
		uint8_t *bytes = kit_bytes(len, i);

		if (i % 5 == 0)
			memset(bytes + len / 2, 0, len - len / 2);
		puts[i] = (struct engine_put){
			.content = span_of(bytes, len),
			.crc = crc32_add(0, span_of(bytes, len)),
			.path = ENGINE_ANY_PATH,
			.done = record_put,
		};
		if (i % 10 == 9) { /* wait now and then, so that there are several batches */
			assert_int_equal(engine_put_wait(kit->engine, &puts[i]), 0);
			removes[i].id = puts[i].id;
			removes[i].done = record_remove;
			engine_remove(kit->engine, &removes[i]);
		} else {
			engine_put(kit->engine, &puts[i]);
		}
	}
	kit_close(kit);
	disk = &disk_linux;
	for (unsigned i = 0; i < POWER_PUTS; i++)
		free((void *)(uintptr_t)puts[i].content.data);
}

TEST(any_loss_of_what_was_not_flushed_leaves_all_that_was_acknowledged)
{
	uint8_t *base = calloc(1, IMAGE_MAX), *image = malloc(IMAGE_MAX);
	char file[512];
	struct file_id first;
	struct kit kit;
	struct stat st;
	int fd;

	kit_init(&kit, 1);
	kit.conf.preallocate = 300 << 10;
	kit.conf.punch_delay_ms = 0;
	kit_open(&kit, "volume");
	first = kit_put(&kit, 3000, 1);
	kit_close(&kit);
	kit_volume_file(&kit, &first, file);
	assert_int_equal(stat(file, &st), 0);
	recorded = st.st_ino;
	kit_read(&kit, &first, 0, base, (size_t)st.st_size);
	live(&kit);
	dice_state = 1;
	for (size_t until = 1; until <= event_count; until += 1 + dice(12)) {
		size_t size;

		memcpy(image, base, IMAGE_MAX);
		size = crash_image(image, (size_t)st.st_size, until);
		assert_true(size <= IMAGE_MAX);
		fd = open(file, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, image, size), size);
		close(fd);
		check_after(&kit, until);
	}
	for (size_t i = 0; i < event_count; i++)
		free((void *)(uintptr_t)events[i].bytes.data);
	free(base);
	free(image);
}
