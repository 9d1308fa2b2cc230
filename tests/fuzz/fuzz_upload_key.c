/* fuzz_upload_key.c - a key that is accepted can be made again and means the same. */
#include "auth/upload_key.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t now = 0x5c515111;
	struct upload_key_rules rules = {
		.des = true,
		.jwt = true,
		.des_secret = "picstore",
		.jwt_secret_len = 32,
		.max_age = 3600,
		.clock_ahead = 60,
	};
	struct upload_key key, again;
	char des[UPLOAD_KEY_DES_LEN + 1], jwt[UPLOAD_KEY_JWT_MAX + 1];
	struct err err = { 0 };

	memset(rules.jwt_secret, 's', rules.jwt_secret_len);
	memset(&again, 0, sizeof again);
	if (upload_key_check(&rules, span_of(data, size), now, &key, &err) < 0) {
		assert(err.code == ERR_NO_KEY || err.code == ERR_BAD_KEY ||
			err.code == ERR_KEY_EXPIRED || err.code == ERR_KEY_NOT_YET);
		return 0;
	}
	/* What is accepted can be said again in the same form, and means the same. */
	assert(key.issued <= now + rules.clock_ahead);
	if (size == UPLOAD_KEY_DES_LEN) {
		assert(upload_key_make_des(&rules, &key, des, &err) == 0);
		assert(upload_key_check(&rules, span_str(des), now, &again, &err) == 0);
	} else {
		assert(upload_key_make_jwt(&rules, &key, now + 100, jwt, &err) == 0);
		assert(upload_key_check(&rules, span_str(jwt), now, &again, &err) == 0);
	}
	assert(again.uid == key.uid && again.channel == key.channel &&
		again.albumid == key.albumid);
	assert(again.issued == key.issued && again.is_head == key.is_head);
	assert(again.max_width == key.max_width && again.max_height == key.max_height);
	return 0;
}
