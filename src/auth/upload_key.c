#include "auth/upload_key.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <jansson.h>
#include <jwt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DES_FIELDS_LEN = 18,
	DES_BYTES = 24, /* the fields and NULs, three blocks */
	DES_KEY_LEN = 8,
	DES_TIME_SPAN = 65536, /* the 16 bits of time come round after so many seconds */
	DES_FUTURE = 3600,     /* so far ahead, a key is called early; further ahead, old */
};

/* DES over whole blocks, each by itself.  OpenSSL 3 keeps single DES in a provider
 * that need not be installed; two-key triple DES with both keys the same is DES. */
static bool des_ecb(const uint8_t secret[DES_KEY_LEN], bool encrypt, const uint8_t *in, size_t len,
	uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t twice[2 * DES_KEY_LEN];
	int done = 0;
	bool ok;

	memcpy(twice, secret, DES_KEY_LEN);
	memcpy(twice + DES_KEY_LEN, secret, DES_KEY_LEN);
	ok = ctx != NULL &&
	     EVP_CipherInit_ex2(ctx, EVP_des_ede(), twice, NULL, encrypt, NULL) == 1 &&
	     EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
	     EVP_CipherUpdate(ctx, out, &done, in, (int)len) == 1 && (size_t)done == len;
	EVP_CIPHER_CTX_free(ctx);
	OPENSSL_cleanse(twice, sizeof twice);
	return ok;
}

static bool hex_decode(struct span text, uint8_t *out)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < text.len; i++) {
		const char *digit = memchr(hex, text.data[i], 16);

		if (digit == NULL)
			return false;
		if (i % 2 == 0)
			out[i / 2] = (uint8_t)((digit - hex) << 4);
		else
			out[i / 2] |= (uint8_t)(digit - hex);
	}
	return true;
}

/* The whole time of issue from its low 16 bits: the moment nearest to `now` of those
 * it may mean, within the rules. */
static int des_time(const struct upload_key_rules *rules, uint16_t low, int64_t now,
	int64_t *issued, struct err *err)
{
	int64_t age = (uint16_t)((uint64_t)now - low);
	int64_t ahead = DES_TIME_SPAN - age;

	if (age <= rules->max_age) {
		*issued = now - age;
		return 0;
	}
	if (ahead <= rules->clock_ahead) {
		*issued = now + ahead;
		return 0;
	}
	if (ahead <= DES_FUTURE)
		return err_set(err, ERR_KEY_NOT_YET,
			"the session key was made %" PRId64 " seconds in the future", ahead);
	return err_set(err, ERR_KEY_EXPIRED,
		"the session key is %" PRId64 " seconds old, %" PRId64 " are allowed", age,
		rules->max_age);
}

static int check_des(const struct upload_key_rules *rules, struct span text, int64_t now,
	struct upload_key *key, struct err *err)
{
	static const uint8_t nuls[DES_BYTES - DES_FIELDS_LEN];
	uint8_t sealed[DES_BYTES], plain[DES_BYTES] = { 0 };
	struct upload_key found = { 0 };
	struct cursor in = cursor_of(span_of(plain, DES_FIELDS_LEN));
	uint16_t time;

	if (!rules->des)
		return err_set(
			err, ERR_BAD_KEY, "session keys of the old form are not accepted here");
	if (!hex_decode(text, sealed))
		return err_set(
			err, ERR_BAD_KEY, "the session key has other characters than 0-9 a-f");
	if (!des_ecb(rules->des_secret, false, sealed, sizeof sealed, plain))
		return err_set(err, ERR_INTERNAL, "cannot decrypt with DES");
	/* There is no MAC: the NULs at the end are all that tells our keys from others. */
	if (CRYPTO_memcmp(plain + DES_FIELDS_LEN, nuls, sizeof nuls) != 0)
		return err_set(err, ERR_BAD_KEY, "the session key was not made with our secret");
	found.uid = cursor_get_le16(&in);
	found.channel = cursor_get_le16(&in);
	found.albumid = cursor_get_le16(&in);
	memcpy(found.ip, cursor_get_span(&in, sizeof found.ip).data, sizeof found.ip);
	time = cursor_get_le16(&in);
	found.max_width = cursor_get_le16(&in);
	found.max_height = cursor_get_le16(&in);
	found.is_head = cursor_get_le16(&in) != 0;
	if (des_time(rules, time, now, &found.issued, err) < 0)
		return -1;
	found.expires = found.issued + rules->max_age + 1;
	*key = found;
	return 0;
}

enum claim { CLAIM_MISSING, CLAIM_OK, CLAIM_BAD };

static enum claim claim_int(const json_t *claims, const char *name, int64_t max, int64_t *value)
{
	const json_t *got = json_object_get(claims, name);

	if (got == NULL)
		return CLAIM_MISSING;
	if (!json_is_integer(got) || json_integer_value(got) < 0 || json_integer_value(got) > max)
		return CLAIM_BAD;
	*value = json_integer_value(got);
	return CLAIM_OK;
}

static bool claim_u32(const json_t *claims, const char *name, uint32_t *value)
{
	int64_t wide = 0;

	if (claim_int(claims, name, UINT32_MAX, &wide) == CLAIM_BAD)
		return false;
	*value = (uint32_t)wide;
	return true;
}

/* Every claim but the times. */
static bool claim_fields(const json_t *claims, struct upload_key *key)
{
	const json_t *ip = json_object_get(claims, "ip"), *head = json_object_get(claims, "head");

	if (!claim_u32(claims, "uid", &key->uid) || !claim_u32(claims, "channel", &key->channel) ||
		!claim_u32(claims, "albumid", &key->albumid) ||
		!claim_u32(claims, "width", &key->max_width) ||
		!claim_u32(claims, "height", &key->max_height))
		return false;
	if (ip != NULL &&
		(!json_is_string(ip) || inet_pton(AF_INET, json_string_value(ip), key->ip) != 1))
		return false;
	if (head != NULL && !json_is_boolean(head))
		return false;
	key->is_head = json_is_true(head);
	return true;
}

static int claim_times(const struct upload_key_rules *rules, const json_t *claims, int64_t now,
	struct upload_key *key, struct err *err)
{
	int64_t expires = 0, not_before = 0;

	if (claim_int(claims, "iat", INT64_MAX / 2, &key->issued) != CLAIM_OK ||
		claim_int(claims, "exp", INT64_MAX / 2, &expires) != CLAIM_OK)
		return err_set(
			err, ERR_BAD_KEY, "the token does not say when it was issued or expires");
	if (claim_int(claims, "nbf", INT64_MAX / 2, &not_before) == CLAIM_BAD)
		return err_set(err, ERR_BAD_KEY, "the token's nbf is not a time");
	if (expires <= now)
		return err_set(err, ERR_KEY_EXPIRED, "the token expired %" PRId64 " seconds ago",
			now - expires);
	if (key->issued - now > rules->clock_ahead)
		return err_set(err, ERR_KEY_NOT_YET,
			"the token was issued %" PRId64 " seconds in the future",
			key->issued - now);
	if (not_before - now > rules->clock_ahead)
		return err_set(err, ERR_KEY_NOT_YET,
			"the token becomes valid in %" PRId64 " seconds", not_before - now);
	key->expires = expires;
	return 0;
}

static bool jwt_secret_ok(const struct upload_key_rules *rules)
{
	return rules->jwt_secret_len >= UPLOAD_KEY_SECRET_MIN &&
	       rules->jwt_secret_len <= UPLOAD_KEY_SECRET_MAX;
}

/* Three parts of base64 in a row, and nothing that C strings or libjwt could read
 * otherwise than we do. */
static bool looks_like_jwt(struct span text)
{
	size_t dots = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '.')
			dots++;
		else if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
				 (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return dots == 2;
}

static int check_jwt(const struct upload_key_rules *rules, struct span text, int64_t now,
	struct upload_key *key, struct err *err)
{
	char token[UPLOAD_KEY_JWT_MAX + 1];
	struct upload_key found = { 0 };
	char *text_of_claims = NULL;
	json_t *claims;
	jwt_t *jwt = NULL;
	int result = -1;

	if (!rules->jwt)
		return err_set(err, ERR_BAD_KEY, "tokens are not accepted here");
	if (!jwt_secret_ok(rules))
		return err_set(err, ERR_CONFIG, "the secret for tokens is too short or too long");
	memcpy(token, text.data, text.len);
	token[text.len] = '\0';
	/* libjwt verifies with the algorithm that the token names, and compares MACs in
	 * constant time.  Tokens of any other algorithm are refused whatever they hold. */
	if (jwt_decode(&jwt, token, rules->jwt_secret, (int)rules->jwt_secret_len) == 0 &&
		jwt_get_alg(jwt) == JWT_ALG_HS256)
		text_of_claims = jwt_get_grants_json(jwt, NULL);
	jwt_free(jwt);
	if (text_of_claims == NULL)
		return err_set(
			err, ERR_BAD_KEY, "the token was not signed with our secret by HS256");
	/* libjwt's own getters take "1" for the number 0, and so on; jansson tells types. */
	claims = json_loads(text_of_claims, 0, NULL);
	free(text_of_claims);
	if (claims == NULL || !claim_fields(claims, &found))
		err_set(err, ERR_BAD_KEY, "a claim of the token has a wrong type or range");
	else
		result = claim_times(rules, claims, now, &found, err);
	json_decref(claims);
	if (result == 0)
		*key = found;
	return result;
}

static int check(const struct upload_key_rules *rules, struct span text, int64_t now,
	struct upload_key *key, struct err *err)
{
	if (text.len == 0)
		return err_set(err, ERR_NO_KEY, "no session key was sent");
	if (text.len == UPLOAD_KEY_DES_LEN && memchr(text.data, '.', text.len) == NULL)
		return check_des(rules, text, now, key, err);
	if (text.len <= UPLOAD_KEY_JWT_MAX && looks_like_jwt(text))
		return check_jwt(rules, text, now, key, err);
	return err_set(err, ERR_BAD_KEY,
		"the session key is neither 48 hex digits nor a token (%zu characters)", text.len);
}

/* The rules while the secrets before ours were ours; false if there were none. */
static bool old_rules(const struct upload_key_rules *rules, struct upload_key_rules *old)
{
	*old = *rules;
	old->des = rules->des && rules->has_old_des;
	old->jwt = rules->jwt && rules->old_jwt_secret_len > 0;
	memcpy(old->des_secret, rules->old_des_secret, sizeof old->des_secret);
	memcpy(old->jwt_secret, rules->old_jwt_secret, sizeof old->jwt_secret);
	old->jwt_secret_len = rules->old_jwt_secret_len;
	return old->des || old->jwt;
}

int upload_key_check(const struct upload_key_rules *rules, struct span text, int64_t now,
	struct upload_key *key, struct err *err)
{
	struct err ours = { 0 }, before = { 0 };
	struct upload_key_rules old;
	bool is_old;

	if (check(rules, text, now, key, &ours) == 0)
		return 0;
	if (ours.code == ERR_BAD_KEY && old_rules(rules, &old)) {
		if (check(&old, text, now, key, &before) == 0)
			return 0;
		is_old = before.code == ERR_KEY_EXPIRED || before.code == ERR_KEY_NOT_YET;
		ours = is_old ? before : ours;
	}
	if (err != NULL)
		*err = ours;
	return -1;
}

int upload_key_make_des(const struct upload_key_rules *rules, const struct upload_key *key,
	char out[UPLOAD_KEY_DES_LEN + 1], struct err *err)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t plain[DES_BYTES] = { 0 }, sealed[DES_BYTES];

	if (key->uid > UINT16_MAX || key->channel > UINT16_MAX || key->albumid > UINT16_MAX ||
		key->max_width > UINT16_MAX || key->max_height > UINT16_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"a session key of the old form has no room for over 65535");
	store_le16(plain, (uint16_t)key->uid);
	store_le16(plain + 2, (uint16_t)key->channel);
	store_le16(plain + 4, (uint16_t)key->albumid);
	memcpy(plain + 6, key->ip, sizeof key->ip);
	store_le16(plain + 10, (uint16_t)key->issued);
	store_le16(plain + 12, (uint16_t)key->max_width);
	store_le16(plain + 14, (uint16_t)key->max_height);
	store_le16(plain + 16, key->is_head ? 1 : 0);
	if (!des_ecb(rules->des_secret, true, plain, sizeof plain, sealed))
		return err_set(err, ERR_INTERNAL, "cannot encrypt with DES");
	for (size_t i = 0; i < sizeof sealed; i++) {
		out[2 * i] = hex[sealed[i] >> 4];
		out[2 * i + 1] = hex[sealed[i] & 15];
	}
	out[UPLOAD_KEY_DES_LEN] = '\0';
	return 0;
}

/* Two tokens are two even if all that they say is the same: uses are counted by token. */
static bool jwt_number(jwt_t *jwt)
{
	uint8_t random[8];
	char text[17];

	if (RAND_bytes(random, sizeof random) != 1)
		return false;
	snprintf(text, sizeof text, "%016" PRIx64, load_be64(random));
	return jwt_add_grant(jwt, "jti", text) == 0;
}

static bool jwt_fill(jwt_t *jwt, const struct upload_key *key, int64_t expires)
{
	char ip[INET_ADDRSTRLEN];

	return inet_ntop(AF_INET, key->ip, ip, sizeof ip) != NULL &&
	       jwt_add_grant_int(jwt, "uid", key->uid) == 0 &&
	       jwt_add_grant_int(jwt, "channel", key->channel) == 0 &&
	       jwt_add_grant_int(jwt, "albumid", key->albumid) == 0 &&
	       jwt_add_grant(jwt, "ip", ip) == 0 &&
	       jwt_add_grant_int(jwt, "iat", key->issued) == 0 &&
	       jwt_add_grant_int(jwt, "exp", expires) == 0 &&
	       jwt_add_grant_int(jwt, "width", key->max_width) == 0 &&
	       jwt_add_grant_int(jwt, "height", key->max_height) == 0 &&
	       jwt_add_grant_bool(jwt, "head", key->is_head) == 0;
}

int upload_key_make_jwt(const struct upload_key_rules *rules, const struct upload_key *key,
	int64_t expires, char out[UPLOAD_KEY_JWT_MAX + 1], struct err *err)
{
	jwt_t *jwt = NULL;
	char *text = NULL;
	int result;

	if (!jwt_secret_ok(rules))
		return err_set(err, ERR_CONFIG, "the secret for tokens must have %d to %d bytes",
			UPLOAD_KEY_SECRET_MIN, UPLOAD_KEY_SECRET_MAX);
	if (expires <= key->issued || key->issued < 0 || expires > INT64_MAX / 2)
		return err_set(err, ERR_BAD_REQUEST, "a token cannot expire before it is issued");
	if (jwt_new(&jwt) == 0 &&
		jwt_set_alg(jwt, JWT_ALG_HS256, rules->jwt_secret, (int)rules->jwt_secret_len) ==
			0 &&
		jwt_fill(jwt, key, expires) && jwt_number(jwt))
		text = jwt_encode_str(jwt);
	if (text == NULL || strlen(text) > UPLOAD_KEY_JWT_MAX)
		result = err_set(err, ERR_INTERNAL, "cannot make a token");
	else
		result = 0;
	if (result == 0)
		strcpy(out, text);
	free(text);
	jwt_free(jwt);
	return result;
}
