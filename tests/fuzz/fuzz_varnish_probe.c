/* A record of Varnish's log. */
#include "varnish/varnish_stats.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct varnish_probe probe, again;
	char text[400];

	if (!varnish_probe_parse(span_of(data, size), &probe))
		return 0;
	assert(probe.name[0] != '\0' && strchr(probe.name, ' ') == NULL);
	/* What was read, written as varnishd writes it, is read as the same. */
	snprintf(text, sizeof text, "%s%s%s Still %s f %u %u %u", probe.vcl,
		probe.vcl[0] == '\0' ? "" : ".", probe.name, probe.healthy ? "healthy" : "sick",
		probe.good, probe.threshold, probe.window);
	assert(varnish_probe_parse(span_str(text), &again));
	assert(strcmp(again.vcl, probe.vcl) == 0 && strcmp(again.name, probe.name) == 0);
	assert(again.healthy == probe.healthy && again.good == probe.good &&
		again.threshold == probe.threshold && again.window == probe.window);
	return 0;
}
