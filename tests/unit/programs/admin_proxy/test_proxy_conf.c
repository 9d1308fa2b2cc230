#include "programs/admin_proxy/proxy_conf.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static struct proxy_conf *conf_of(const char *lines)
{
	struct err err = { 0 };
	char text[1000];
	struct settings *settings;
	struct proxy_conf *conf;

	snprintf(text, sizeof text, "[admin_proxy]\n%s\n", lines);
	settings = settings_parse("p.conf", text, &err);
	if (settings == NULL)
		fail_msg("%s", err.text);
	conf = proxy_conf_new(settings, &err);
	settings_free(settings);
	assert_non_null(conf);
	return conf;
}

static bool may(const struct proxy_conf *conf, const char *host, enum proxy_service service)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };

	assert_int_equal(inet_pton(AF_INET, host, &peer.sin_addr), 1);
	return proxy_conf_may(conf, (struct sockaddr *)&peer, service);
}

static bool admits(const struct proxy_conf *conf, const char *host)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };

	assert_int_equal(inet_pton(AF_INET, host, &peer.sin_addr), 1);
	return proxy_conf_admits(conf, (struct sockaddr *)&peer);
}

TEST(is_closed_for_other_machines_by_default)
{
	struct proxy_conf *conf = conf_of("");

	assert_true(admits(conf, "127.0.0.1"));
	assert_true(may(conf, "127.0.0.1", PROXY_DELETE_NOW));
	assert_false(admits(conf, "10.0.0.1"));
	assert_false(may(conf, "192.168.1.1", PROXY_CUT));
	assert_true(proxy_conf_may(conf, NULL, PROXY_CUT)); /* a unix socket has a mode */
	proxy_conf_free(conf);
}

TEST(a_network_may_be_let_to_one_service)
{
	struct proxy_conf *conf = conf_of("cut_svr_allow = 10.0.0.0/8\nallow = 127.0.0.1");

	assert_true(admits(conf, "10.1.2.3"));
	assert_true(may(conf, "10.1.2.3", PROXY_CUT));
	assert_false(may(conf, "10.1.2.3", PROXY_DELETE_NOW));
	assert_false(may(conf, "10.1.2.3", PROXY_DELETE_LATER));
	assert_false(admits(conf, "127.0.0.2"));
	proxy_conf_free(conf);
}

TEST(every_service_has_back_ends_by_default)
{
	struct proxy_conf *conf = conf_of("");

	for (int i = 0; i < PROXY_SERVICES; i++) {
		assert_true(conf->pools[i].server_count >= 1);
		assert_true(conf->pools[i].timeout_ms > 0);
	}
	assert_string_equal(conf->pools[PROXY_CUT].servers[1], "127.0.0.1:9021");
	assert_true(conf->ping);
	proxy_conf_free(conf);
}

TEST(refuses_what_cannot_be)
{
	static const char *const bad[] = {
		"cut_svr = here",
		"cut_svr = 127.0.0.1:0",
		"del_svr_allow = everybody",
		"allow = 10.0.0.0/33",
		"tls_listen = 0.0.0.0:6999",
		"server_in_flight = 4097",
		"connections = 17",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char text[200];
		struct err err = { 0 };

		snprintf(text, sizeof text, "[admin_proxy]\n%s\n", bad[i]);
		if (settings_parse("p.conf", text, &err) != NULL)
			fail_msg("accepted '%s'", bad[i]);
		assert_int_equal(err.code, ERR_CONFIG);
	}
}
