/* fcgi.h - FastCGI as bytes: records to requests, answers to records.
 *
 * A record is 8 bytes and what they announce; integers are big endian:
 *
 *     version u8 (1) | type u8 | request id u16 | content length u16 | padding u8 | 0 u8
 *     content | padding
 *
 * The web server sends, for each request: BEGIN_REQUEST (role u16, flags u8, 5 bytes),
 * PARAMS records (pairs of name and value, each length in one byte, or in four with the
 * top bit set), an empty PARAMS, STDIN records with the body, an empty STDIN.  We send
 * STDOUT records (header lines, an empty line, the body), an empty STDOUT, END_REQUEST
 * (application status u32, protocol status u8, 3 bytes).
 *
 * One request at a time on a connection: more are refused with CANT_MPX_CONN, which
 * the protocol provides for.  Nothing here knows of sockets. */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "http/request.h"

#include <sys/uio.h>

enum { FCGI_PARAMS_MAX = 65536 }; /* bytes of all names and values of a request */

enum fcgi_event {
	FCGI_MORE,    /* every byte was taken, no request is complete */
	FCGI_REQUEST, /* a request is complete: fcgi_request(), answer, fcgi_reader_next() */
	FCGI_CLOSE,   /* an aborted or refused request, behind which nothing comes: close */
	FCGI_BROKEN,  /* this is no FastCGI (`err` says why): close */
};

struct fcgi_reader {
	/* For the caller. */
	uint16_t id;    /* of the request */
	bool keep_conn; /* the connection stays open behind the request */
	struct buf out; /* answers to management records; send them, then buf_clear() */
	struct err err; /* of FCGI_BROKEN */

	/* The reader's own. */
	enum {
		FCGI_IDLE,
		FCGI_IN_PARAMS,
		FCGI_IN_STDIN,
		FCGI_COMPLETE,
	} phase;
	struct buf params, body, management;
	uint8_t header[8];
	size_t header_have;
	uint8_t type;
	uint16_t record_id;
	size_t content_left, padding_left;
	int max_conns;
};

/* Bodies over `max_body` are read to their end but not kept.  `max_conns` is what a web
 * server that asks is told. */
void fcgi_reader_init(struct fcgi_reader *reader, size_t max_body, int max_conns);
void fcgi_reader_fini(struct fcgi_reader *reader);

/* Forget everything, for a new connection; memory is kept. */
void fcgi_reader_reset(struct fcgi_reader *reader);

/* Take bytes up to the end of a request.  Returns how many were taken. */
size_t fcgi_read(struct fcgi_reader *reader, struct span bytes, enum fcgi_event *event);

/* Nothing of the next request has come yet. */
bool fcgi_reader_idle(const struct fcgi_reader *reader);

/* The request that is complete; its spans are valid until fcgi_reader_next().  Returns
 * 0, or -1 with ERR_TOO_LARGE (the body) or ERR_BAD_REQUEST: names and values are
 * malformed or too many, method or target are missing, the body is not as long as
 * CONTENT_LENGTH. */
int fcgi_request(const struct fcgi_reader *reader, struct http_request *request, struct err *err);

/* The request is answered: be ready for another on the same connection. */
void fcgi_reader_next(struct fcgi_reader *reader);

/* An answer as pieces for writev(), which borrow header and body. */
struct fcgi_answer {
	struct iovec *pieces;
	size_t count, cap;
	struct buf frames;
};

void fcgi_answer_init(struct fcgi_answer *answer);
void fcgi_answer_fini(struct fcgi_answer *answer);

/* Lay out the answer to request `id`: `header` with its final empty line, then `body`.
 * An answer may go out in several runs; with `last` the request is ended. */
void fcgi_answer_fill(
	struct fcgi_answer *answer, uint16_t id, struct span header, struct span body, bool last);

/* Write the lines that a web server wants in front of the body: Status, the headers of
 * `response`, the body's length or its place in a file, an empty line.  With `sendfile`
 * the place of a file goes into X-Sendfile2; the answer to HEAD has a length instead. */
void fcgi_header(const struct http_response *response, bool head, bool sendfile, struct buf *out);
