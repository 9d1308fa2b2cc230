#include "session/session_rules.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { MS_PER_S = 1000 };

/* The secret `name`.old, if there is one; `*len` is 0 if there is none. */
static int read_old(const struct settings *settings, const char *name, uint8_t *out, size_t max,
	size_t *len, struct err *err)
{
	char path[512], file[16];

	*len = 0;
	snprintf(file, sizeof file, "%s.old", name);
	snprintf(path, sizeof path, "%s/%s", settings->secret_dir, file);
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return 0;
	return settings_secret(settings, file, out, max, len, err);
}

static int wrong_length(
	const char *name, size_t len, const char *which, size_t want, struct err *err)
{
	return err_set(err, ERR_CONFIG, "the secret \"%s\" has %zu bytes, %zu are %s", name, len,
		want, which);
}

static int read_old_secrets(
	const struct settings *settings, struct upload_key_rules *rules, struct err *err)
{
	size_t len = 0;

	if (rules->des && read_old(settings, "des", rules->old_des_secret,
				  sizeof rules->old_des_secret, &len, err) != 0)
		return -1;
	rules->has_old_des = len > 0;
	if (rules->has_old_des && len != sizeof rules->old_des_secret)
		return wrong_length("des.old", len, "right", sizeof rules->old_des_secret, err);
	rules->old_jwt_secret_len = 0;
	if (rules->jwt &&
		read_old(settings, "jwt", rules->old_jwt_secret, sizeof rules->old_jwt_secret,
			&rules->old_jwt_secret_len, err) != 0)
		return -1;
	if (rules->old_jwt_secret_len > 0 && rules->old_jwt_secret_len < UPLOAD_KEY_SECRET_MIN)
		return wrong_length("jwt.old", rules->old_jwt_secret_len, "the least",
			UPLOAD_KEY_SECRET_MIN, err);
	return 0;
}

int session_rules_read(
	const struct settings *settings, struct upload_key_rules *rules, struct err *err)
{
	size_t len;

	rules->des = settings->keys_des;
	rules->jwt = settings->keys_jwt;
	rules->max_age = settings->key_max_age / MS_PER_S;
	rules->clock_ahead = settings->key_clock_ahead / MS_PER_S;
	if (rules->des) {
		if (settings_secret(settings, "des", rules->des_secret, sizeof rules->des_secret,
			    &len, err) != 0)
			return -1;
		if (len != sizeof rules->des_secret)
			return wrong_length("des", len, "right", sizeof rules->des_secret, err);
	}
	if (rules->jwt) {
		if (settings_secret(settings, "jwt", rules->jwt_secret, sizeof rules->jwt_secret,
			    &rules->jwt_secret_len, err) != 0)
			return -1;
		if (rules->jwt_secret_len < UPLOAD_KEY_SECRET_MIN)
			return wrong_length("jwt", rules->jwt_secret_len, "the least",
				UPLOAD_KEY_SECRET_MIN, err);
	}
	return read_old_secrets(settings, rules, err);
}
