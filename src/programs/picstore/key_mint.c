#include "programs/picstore/key_mint.h"

#include "core/clock.h"

#include <string.h>

int key_mint(const struct settings *settings, enum key_form form, const struct upload_key *key,
	int64_t lifetime_s, char out[UPLOAD_KEY_JWT_MAX + 1], struct err *err)
{
	struct upload_key_rules rules = { .des = settings->keys_des, .jwt = settings->keys_jwt };
	struct upload_key fresh = *key;
	size_t len;

	fresh.issued = clock_unix();
	if (!(form == KEY_DES ? rules.des : rules.jwt))
		return err_set(err, ERR_NOT_ALLOWED,
			"%s keys are switched off by the configuration",
			form == KEY_DES ? "DES" : "JWT");
	if (form == KEY_JWT) {
		if (settings_secret(settings, "jwt", rules.jwt_secret, sizeof rules.jwt_secret,
			    &rules.jwt_secret_len, err) < 0)
			return -1;
		return upload_key_make_jwt(&rules, &fresh, fresh.issued + lifetime_s, out, err);
	}
	if (settings_secret(settings, "des", rules.des_secret, sizeof rules.des_secret, &len, err) <
		0)
		return -1;
	if (len != sizeof rules.des_secret)
		return err_set(
			err, ERR_CONFIG, "the secret \"des\" has %zu bytes instead of 8", len);
	return upload_key_make_des(&rules, &fresh, out, err);
}
