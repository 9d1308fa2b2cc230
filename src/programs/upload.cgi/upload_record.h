/* upload_record.h - each picture as a photo of metadata_dbsvr, so that no picture is
 * without its photo and no photo without its picture:
 *
 *     1. the photo is put as pending
 *     2. the picture is stored
 *     3. the photo is settled: stored, with the picture's id
 *
 * A 1 that fails refuses the upload.  When the store does not take the picture, the
 * photo is forgotten.  When 3 surely failed, the picture is deleted again.  Whatever else
 * may happen between 1 and 3, a crash or an outcome that nobody knows, leaves a pending
 * photo, which metadata_dbsvr settles after a minute by what it finds in the store. */
#pragma once

#include "fdfs/client.h"
#include "programs/upload.cgi/upload_decide.h"
#include "service/settings.h"

struct upload_record;

/* `client` must outlive it. */
struct upload_record *upload_record_new(
	const struct settings *settings, struct fdfs_client *client, struct err *err);
void upload_record_free(struct upload_record *record); /* NULL is fine */

/* The three of struct upload_rules. */
int upload_record_note(struct upload_record *record, struct upload_result *result,
	const struct picture_facts *facts, struct span bytes, int64_t now, struct err *err);
void upload_record_drop(
	struct upload_record *record, const struct upload_result *result, enum err_code why);
int upload_record_settle(
	struct upload_record *record, const struct upload_result *result, struct err *err);
