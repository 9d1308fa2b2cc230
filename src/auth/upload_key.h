/* upload_key.h - what lets a client upload: who it is, what it may send, since when.
 *
 * Two forms carry the same fields.  The old one, which existing clients make, is 18
 * packed bytes, NUL padded to 24, DES-encrypted block by block, in 48 hex digits:
 *
 *     byte  size  little endian
 *     0     2     uid
 *     2     2     channel
 *     4     2     albumid
 *     6     4     client's IPv4 address as inet_addr() stores it (network order)
 *     10    2     low 16 bits of the Unix time of issue
 *     12    2     greatest width, 0 for any
 *     14    2     greatest height, 0 for any
 *     16    2     is_head: 1 for an avatar
 *
 * DES keeps those clients working and protects nothing: anybody with a day to spend
 * can make such keys.  The new form is a JWT (HS256) with the claims uid, channel,
 * albumid, ip, iat, exp, width, height, head; it cannot be forged.  iat and exp must
 * be there, nbf is heeded, every other claim is 0 or false when it is left out. */
#pragma once

#include "core/buf.h"
#include "core/err.h"

enum {
	UPLOAD_KEY_DES_LEN = 48,    /* hex digits */
	UPLOAD_KEY_JWT_MAX = 1024,  /* characters */
	UPLOAD_KEY_SECRET_MIN = 32, /* of tokens: as long as the hash, as RFC 7518 wants */
	UPLOAD_KEY_SECRET_MAX = 256,
};

struct upload_key {
	uint32_t uid;
	uint32_t channel;
	uint32_t albumid;
	uint8_t ip[4];
	int64_t issued, expires;        /* Unix seconds; not valid from `expires` on */
	uint32_t max_width, max_height; /* 0: any */
	bool is_head;
};

struct upload_key_rules {
	bool des, jwt; /* which forms are accepted */
	uint8_t des_secret[8];
	uint8_t jwt_secret[UPLOAD_KEY_SECRET_MAX];
	size_t jwt_secret_len;
	/* The secrets before these, whose keys are good as well; none are made with them. */
	bool has_old_des;
	uint8_t old_des_secret[8];
	uint8_t old_jwt_secret[UPLOAD_KEY_SECRET_MAX];
	size_t old_jwt_secret_len; /* 0: none */
	int64_t max_age;     /* seconds, of the old form; a token says itself when it ends */
	int64_t clock_ahead; /* seconds that an issuer's clock may be ahead */
};

/* Read and check a key of either form at the time `now`.  ERR_NO_KEY if it is empty,
 * ERR_BAD_KEY, ERR_KEY_EXPIRED, ERR_KEY_NOT_YET. */
int upload_key_check(const struct upload_key_rules *rules, struct span text, int64_t now,
	struct upload_key *key, struct err *err);

/* Make a key of the old form (`expires` is of no account); fields wider than 16 bits are
 * ERR_BAD_REQUEST. */
int upload_key_make_des(const struct upload_key_rules *rules, const struct upload_key *key,
	char out[UPLOAD_KEY_DES_LEN + 1], struct err *err);

/* Make a key of the new form, valid until `expires`, with a random claim jti that makes it
 * differ from all others. */
int upload_key_make_jwt(const struct upload_key_rules *rules, const struct upload_key *key,
	int64_t expires, char out[UPLOAD_KEY_JWT_MAX + 1], struct err *err);
