/* err.h - why something failed: a code for programs, a sentence for people.
 *
 * The codes are one closed list for the whole of picstore.  The table in err.c
 * maps each to its word (in JSON answers and logs), its HTTP status and its
 * errno (the status byte of the FastDFS protocol); docs/errors.md shows it. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum err_code {
	ERR_NONE = 0,
	/* any part */
	ERR_BAD_REQUEST,  /* malformed: what was asked makes no sense */
	ERR_BAD_ID,       /* not the name of a picture, whatever is stored */
	ERR_NOT_FOUND,    /* was never there, as far as anybody can tell */
	ERR_GONE,         /* was there and has been deleted */
	ERR_EXISTS,       /* is there already */
	ERR_TOO_LARGE,    /* over a configured size */
	ERR_FULL,         /* no room left in the store */
	ERR_BUSY,         /* overloaded; the same request may work later */
	ERR_NOT_ALLOWED,  /* this caller may not do that */
	ERR_CORRUPT,      /* the bytes do not match their id */
	ERR_UNKNOWN,      /* it may or may not have been done */
	ERR_UNREACHABLE,  /* the part of the store that could answer is down */
	ERR_SERVICE_DOWN, /* another service that is needed, not the store, is down */
	ERR_TIMEOUT,      /* a deadline passed; nothing was done */
	ERR_IO,           /* the operating system reports an error */
	ERR_WOULD_BLOCK,  /* not without waiting, and waiting was not wanted */
	ERR_UNSUPPORTED,  /* a thing this part cannot do */
	ERR_CONFIG,       /* the configuration is wrong */
	ERR_INTERNAL,     /* a bug, or memory has ended */
	ERR_METHOD,       /* HTTP: not this method here */
	/* upload.cgi */
	ERR_NO_KEY,        /* no session key came with the picture */
	ERR_BAD_KEY,       /* the session key is not one of ours */
	ERR_KEY_EXPIRED,   /* the session key is too old */
	ERR_KEY_NOT_YET,   /* the session key is from the future: a clock is wrong */
	ERR_NO_FILE,       /* the form has no field "file" */
	ERR_EMPTY_FILE,    /* the picture has no bytes */
	ERR_NOT_A_PICTURE, /* the bytes are no picture of an accepted format */
	ERR_TYPE_MISMATCH, /* the form says one type, the bytes another */
	ERR_TOO_WIDE,      /* over the width that the session key allows */
	ERR_TOO_HIGH,      /* over the height that the session key allows */
	ERR_PIXEL_BOMB,    /* more pixels or frames than are ever decoded */
	ERR_TRUNCATED,     /* the picture is cut off or damaged */
	ERR_COUNT
};

struct err {
	enum err_code code;
	char text[256]; /* one sentence, no final full stop, no line breaks */
};

/* Fill `err` with a code and a printf-formatted sentence.  Always returns -1,
 * so that `return err_set(...)` is how a function fails.  `err` may be NULL. */
int err_set(struct err *err, enum err_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* err_set with ": " and strerror(errno) at the end.  ENOSPC and EDQUOT become
 * ERR_FULL, every other errno ERR_IO. */
int err_errno(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "<words>: " in front of the sentence that `err` has; returns -1. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__ /* which looks at one file at a time, and not into err.c */
#define err_set(...)    ((void)(err_set)(__VA_ARGS__), -1)
#define err_errno(...)  ((void)(err_errno)(__VA_ARGS__), -1)
#define err_prefix(...) ((void)(err_prefix)(__VA_ARGS__), -1)
#endif

/* The code's word for JSON and logs ("not_found"); never NULL. */
const char *err_word(enum err_code code);

/* The HTTP status that answers the code (404). */
int err_http_status(enum err_code code);

/* The errno value, which is also FastDFS's status byte (ENOENT). */
int err_fdfs_status(enum err_code code);

/* A general sentence for the code, for documents and for bare statuses. */
const char *err_meaning(enum err_code code);

/* The best code for a FastDFS status byte (0 is ERR_NONE). */
enum err_code err_from_fdfs(int status);
