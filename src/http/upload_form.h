/* upload_form.h - the fields of an upload, however they were sent.
 *
 *     multipart/form-data   fields session_key, type, file
 *     application/json      an object with the members session_key, type, file (base64,
 *                           perhaps as a data: URL) and, if wanted, file_name
 *
 * Other fields are ignored; Flash adds Filename and Upload, for example. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

enum { UPLOAD_FILE_NAME_MAX = 255 };

struct upload_form {
	/* Empty when they were not sent; without blanks around them. */
	struct span session_key, type;
	bool has_file;
	/* Last component of the client's path, valid UTF-8, nothing in it that controls a
	 * terminal or the direction of writing; may be empty. */
	char file_name[UPLOAD_FILE_NAME_MAX + 1];

	/* Inside. */
	struct span file; /* as sent */
	bool is_base64;
	struct buf decoded;
	void *json;
};

/* Read the fields of `body`.  The form borrows from it and is ended with
 * upload_form_fini, whatever came out.  ERR_BAD_REQUEST. */
int upload_form_read(
	struct upload_form *form, struct span content_type, struct span body, struct err *err);

/* The picture, valid until upload_form_fini.  Apart from upload_form_read, so that
 * nobody's base64 is decoded before the key is checked.  ERR_NO_FILE, ERR_EMPTY_FILE,
 * ERR_TOO_LARGE over `max` bytes, ERR_BAD_REQUEST. */
int upload_form_file(struct upload_form *form, size_t max, struct span *file, struct err *err);

void upload_form_fini(struct upload_form *form);

/* Write what is good of a client's file name to `out`, see file_name above. */
void upload_file_name(struct span sent, char out[UPLOAD_FILE_NAME_MAX + 1]);
