#include "programs/upload.cgi/upload_decide.h"

#include <inttypes.h>
#include <string.h>

/* The picture in the form, by its first bytes of an accepted format and of that which
 * the form says. */
static int take_file(const struct upload_rules *rules, struct upload_form *form, struct span *bytes,
	enum picture_format *format, struct err *err)
{
	enum picture_format said;

	if (upload_form_file(form, rules->max_bytes, bytes, err) < 0)
		return -1;
	*format = picture_sniff(*bytes);
	if (*format == PICTURE_NONE)
		return err_set(
			err, ERR_NOT_A_PICTURE, "the bytes are no picture of a known format");
	if ((rules->formats & 1u << *format) == 0)
		return err_set(
			err, ERR_NOT_A_PICTURE, "%s is not accepted here", picture_name(*format));
	if (form->type.len == 0)
		return 0;
	said = picture_format_of(form->type);
	if (said == PICTURE_NONE)
		return err_set(err, ERR_TYPE_MISMATCH,
			"the type in the form is none that is known here, the picture is a %s",
			picture_name(*format));
	if (said != *format)
		return err_set(err, ERR_TYPE_MISMATCH, "the form says %s, the picture is a %s",
			picture_name(said), picture_name(*format));
	return 0;
}

static int check_size(
	const struct upload_key *key, const struct picture_facts *facts, struct err *err)
{
	if (key->max_width != 0 && facts->width > key->max_width)
		return err_set(err, ERR_TOO_WIDE,
			"the picture is %" PRIu32 " pixels wide, the session key allows %" PRIu32,
			facts->width, key->max_width);
	if (key->max_height != 0 && facts->height > key->max_height)
		return err_set(err, ERR_TOO_HIGH,
			"the picture is %" PRIu32 " pixels high, the session key allows %" PRIu32,
			facts->height, key->max_height);
	return 0;
}

/* What a store can say to an upload.  Anything else means that it is set up wrongly;
 * to the client that is a store which is down. */
static int store_failed(struct err *err)
{
	switch (err->code) {
	case ERR_FULL:
	case ERR_BUSY:
	case ERR_UNKNOWN:
	case ERR_UNREACHABLE:
	case ERR_TIMEOUT:
	case ERR_IO:
	case ERR_INTERNAL:
		break;
	default:
		err->code = ERR_UNREACHABLE;
	}
	return -1;
}

/* The same for the record. */
static int record_failed(struct err *err)
{
	switch (err->code) {
	case ERR_FULL:
	case ERR_BUSY:
	case ERR_UNKNOWN:
	case ERR_TIMEOUT:
		break;
	default:
		err->code = ERR_SERVICE_DOWN;
	}
	return err_prefix(err, "the picture cannot be recorded");
}

struct watch {
	const struct upload_rules *rules;
	struct upload_result *result;
	int64_t start_us;
};

/* The step under way has ended, `next` begins. */
static void step(struct watch *watch, enum upload_step next)
{
	int64_t now_us = watch->rules->clock_us();

	watch->result->step_us[watch->result->step] += now_us - watch->start_us;
	watch->result->step = next;
	watch->start_us = now_us;
}

static int decide(struct watch *watch, const struct http_request *request, struct upload_form *form,
	int64_t now, struct err *err)
{
	const struct upload_rules *rules = watch->rules;
	struct upload_result *result = watch->result;
	enum picture_format format;
	struct picture_facts facts;
	struct span bytes;

	if (request->method != HTTP_POST)
		return err_set(err, ERR_METHOD, "pictures are uploaded by POST");
	if (upload_form_read(form, request->content_type, request->body, err) < 0)
		return -1;
	memcpy(result->file_name, form->file_name, sizeof result->file_name);

	step(watch, UPLOAD_KEY);
	if (upload_key_check(&rules->keys, form->session_key, now, &result->key, err) < 0)
		return -1;
	result->has_key = true;
	result->albumid = result->key.albumid;
	if (rules->count_use != NULL &&
		rules->count_use(rules->context, form->session_key, result->key.uid, err) < 0)
		return -1;

	step(watch, UPLOAD_FILE);
	if (take_file(rules, form, &bytes, &format, err) < 0)
		return -1;
	result->len = bytes.len;

	step(watch, UPLOAD_CHECK);
	if (rules->check(rules->context, bytes, &facts, err) < 0 ||
		check_size(&result->key, &facts, err) < 0)
		return -1;

	step(watch, UPLOAD_NOTE);
	if (rules->note != NULL && rules->note(rules->context, result, &facts, bytes, now, err) < 0)
		return record_failed(err);

	step(watch, UPLOAD_STORE);
	if (rules->store(rules->context, bytes, picture_extension(format), &result->id, err) < 0) {
		store_failed(err);
		if (rules->note != NULL)
			rules->drop(rules->context, result, err->code);
		return -1;
	}
	if (rules->note == NULL)
		return 0;
	step(watch, UPLOAD_NOTE);
	return rules->settle(rules->context, result, err) < 0 ? record_failed(err) : 0;
}

int upload_decide(const struct upload_rules *rules, const struct http_request *request, int64_t now,
	struct upload_result *result, struct err *err)
{
	struct watch watch = { .rules = rules, .result = result, .start_us = rules->clock_us() };
	struct upload_form form = { 0 };
	int outcome;

	memset(result, 0, sizeof *result);
	outcome = decide(&watch, request, &form, now, err);
	step(&watch, result->step);
	upload_form_fini(&form);
	return outcome;
}
