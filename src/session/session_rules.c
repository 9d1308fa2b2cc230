#include "session/session_rules.h"

enum { MS_PER_S = 1000 };

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
			return err_set(err, ERR_CONFIG,
				"the secret \"des\" has %zu bytes instead of %zu", len,
				sizeof rules->des_secret);
	}
	if (rules->jwt) {
		if (settings_secret(settings, "jwt", rules->jwt_secret, sizeof rules->jwt_secret,
			    &rules->jwt_secret_len, err) != 0)
			return -1;
		if (rules->jwt_secret_len < UPLOAD_KEY_SECRET_MIN)
			return err_set(err, ERR_CONFIG,
				"the secret \"jwt\" has %zu bytes, %d are the least",
				rules->jwt_secret_len, UPLOAD_KEY_SECRET_MIN);
	}
	return 0;
}
