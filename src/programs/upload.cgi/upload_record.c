#include "programs/upload.cgi/upload_record.h"

#include "core/crc32.h"
#include "core/log.h"
#include "photo/photo_client.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct upload_record {
	struct photo_client *photos;
	struct fdfs_client *client;
};

struct upload_record *upload_record_new(
	const struct settings *settings, struct fdfs_client *client, struct err *err)
{
	struct upload_record *record = calloc(1, sizeof *record);

	assert(record != NULL);
	record->client = client;
	record->photos = photo_client_new(
		settings, settings->upload_metadata, settings->upload_metadata_timeout, err);
	if (record->photos == NULL) {
		free(record);
		return NULL;
	}
	return record;
}

void upload_record_free(struct upload_record *record)
{
	if (record == NULL)
		return;
	photo_client_free(record->photos);
	free(record);
}

int upload_record_note(struct upload_record *record, struct upload_result *result,
	const struct picture_facts *facts, struct span bytes, int64_t now, struct err *err)
{
	struct photo photo = {
		.uid = result->key.uid,
		.albumid = result->key.albumid,
		.channel = result->key.channel,
		.is_head = result->key.is_head,
		.state = PHOTO_PENDING,
		.type = (uint16_t)facts->format,
		.width = facts->width,
		.height = facts->height,
		.crc = crc32_add(0, bytes),
		.length = bytes.len,
		.time = (uint64_t)now,
	};

	memcpy(photo.ip, result->key.ip, sizeof photo.ip);
	photo_text_clean(span_str(result->file_name), photo.name);
	if (photo_client_put(record->photos, &photo, err) != 0)
		return -1;
	result->albumid = photo.albumid;
	result->photoid = photo.photoid;
	return 0;
}

static void forget(struct upload_record *record, const struct upload_result *result)
{
	struct err err;

	if (photo_client_settle(record->photos, result->photoid, PHOTO_SETTLE_FORGET, "", &err) !=
		0)
		log_warn("photo %" PRIu64 " stays pending for a while: %s", result->photoid,
			err.text);
}

void upload_record_drop(
	struct upload_record *record, const struct upload_result *result, enum err_code why)
{
	/* Its picture may be in the store: that is for metadata_dbsvr to find out. */
	if (why != ERR_UNKNOWN)
		forget(record, result);
}

/* The photo was refused, which happens when metadata_dbsvr has taken its upload for cut off:
 * has it given the picture to a photo of the same bytes? */
static bool is_anothers(
	struct upload_record *record, const struct upload_result *result, const char *url)
{
	struct photo photo;
	struct err err;

	if (photo_client_get_url(record->photos, url, &photo, &err) == 0)
		return photo.photoid != result->photoid;
	return err.code != ERR_NOT_FOUND;
}

int upload_record_settle(
	struct upload_record *record, const struct upload_result *result, struct err *err)
{
	char url[FILE_ID_TEXT_MAX + 1];
	struct err why;
	bool refused;

	file_id_format(&result->id, url);
	if (photo_client_settle(record->photos, result->photoid, PHOTO_SETTLE_STORED, url, err) ==
		0)
		return 0;
	/* A picture that nobody was told of goes again, unless a photo may have it. */
	if (err->code == ERR_UNKNOWN)
		return -1;
	refused = err->code == ERR_EXISTS || err->code == ERR_NOT_FOUND || err->code == ERR_GONE;
	if (refused && is_anothers(record, result, url))
		log_warn("%s stays: another photo may have it", url);
	else if (fdfs_delete(record->client, &result->id, NULL, &why) != 0) {
		log_warn("%s is stored and has no photo for a while: %s", url, why.text);
		return -1;
	}
	forget(record, result);
	return -1;
}
