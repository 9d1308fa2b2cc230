#include "programs/sess_check_svr/sess_key.h"

enum { MS_PER_S = 1000, TIME_LEN = 8 };

static void digest_of(struct span text, int64_t issued, uint8_t out[DIGEST_LEN])
{
	uint8_t time[TIME_LEN];
	struct buf both;

	store_le64(time, (uint64_t)issued);
	buf_init(&both, text.len + TIME_LEN);
	buf_put_span(&both, text);
	buf_put(&both, time, sizeof time);
	digest(buf_span(&both), out);
	buf_fini(&both);
}

int sess_key_look(const struct settings *settings, const struct upload_key_rules *rules,
	struct span text, int64_t now, struct sess_count *count, struct err *err)
{
	struct upload_key found;

	if (text.len == 0)
		return err_set(err, ERR_NO_KEY, "there is no session key in it");
	if (!settings->sess_check_verify) {
		digest(text, count->key);
		count->ends = now + (settings->key_max_age + settings->key_clock_ahead) / MS_PER_S;
		return 0;
	}
	if (upload_key_check(rules, text, now, &found, err) != 0)
		return -1;
	digest_of(text, found.issued, count->key);
	count->ends = found.expires + SESS_KEY_KEPT_S;
	return 0;
}
