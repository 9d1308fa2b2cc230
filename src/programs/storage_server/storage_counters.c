#include "programs/storage_server/storage_server.h"

#define COUNTER(name, gauge, help)                                                                 \
	{                                                                                          \
		name, help, gauge, 0                                                               \
	}

struct service_counter storage_counters[STORAGE_COUNTERS] = {
	[STORAGE_CONNECTIONS] = COUNTER("connections", true, "open connections"),
	[STORAGE_REQUESTS] = COUNTER("requests", false, "requests"),
	[STORAGE_UPLOADS] = COUNTER("uploads", false, "files taken in"),
	[STORAGE_UPLOADS_FAILED] = COUNTER("uploads_failed", false, "uploads refused or failed"),
	[STORAGE_DOWNLOADS] = COUNTER("downloads", false, "files or ranges handed out"),
	[STORAGE_DOWNLOADS_FAILED] = COUNTER("downloads_failed", false, "downloads that failed"),
	[STORAGE_DELETES] = COUNTER("deletes", false, "files deleted"),
	[STORAGE_DELETES_FAILED] = COUNTER("deletes_failed", false, "deletes that failed"),
	[STORAGE_INFOS] = COUNTER("infos", false, "answers about a file"),
	[STORAGE_INFOS_FAILED] = COUNTER("infos_failed", false, "questions about none"),
	[STORAGE_APPENDS] = COUNTER("appends", false, "appends to files"),
	[STORAGE_APPENDS_FAILED] = COUNTER("appends_failed", false, "appends that failed"),
	[STORAGE_MODIFIES] = COUNTER("modifies", false, "changes within files"),
	[STORAGE_MODIFIES_FAILED] = COUNTER("modifies_failed", false, "changes that failed"),
	[STORAGE_TRUNCATES] = COUNTER("truncates", false, "files cut or made longer"),
	[STORAGE_TRUNCATES_FAILED] = COUNTER("truncates_failed", false, "those that failed"),
	[STORAGE_METADATA_SETS] = COUNTER("metadata_sets", false, "metadata taken in"),
	[STORAGE_METADATA_SETS_FAILED] = COUNTER(
		"metadata_sets_failed", false, "metadata refused or failed"),
	[STORAGE_METADATA_GETS] = COUNTER("metadata_gets", false, "metadata handed out"),
	[STORAGE_METADATA_GETS_FAILED] = COUNTER(
		"metadata_gets_failed", false, "questions for metadata that failed"),
	[STORAGE_BYTES_IN] = COUNTER("bytes_in", false, "bytes of files taken in"),
	[STORAGE_BYTES_OUT] = COUNTER("bytes_out", false, "bytes of files handed out"),
	[STORAGE_BAD_REQUESTS] = COUNTER("bad_requests", false, "requests that make no sense"),
	[STORAGE_NOT_FOUND] = COUNTER("not_found", false, "requests for what is not there"),
	[STORAGE_FULL] = COUNTER("full", false, "uploads there was no room for"),
	[STORAGE_CORRUPT] = COUNTER("corrupt", false, "files whose bytes did not match their id"),
	[STORAGE_OTHER_ERRORS] = COUNTER("other_errors", false, "requests that failed otherwise"),
	[STORAGE_ENGINE_WELL] = COUNTER("engine_well", true, "1: the engine answers, or is asked"),
	[STORAGE_PENDING_PUTS] = COUNTER(
		"pending_puts", true, "uploads of unknown outcome that are yet to be removed"),
	[STORAGE_PENDING_DELETES] = COUNTER(
		"pending_deletes", true, "deletes of unknown outcome that are yet to be confirmed"),
	[STORAGE_TRACKERS_UP] = COUNTER("trackers_up", true, "trackers that know this storage"),
	[STORAGE_REFUSED] = COUNTER("refused", false, "connections from other addresses"),
	[STORAGE_TOO_MANY] = COUNTER("too_many", false, "connections over max_connections"),
	[STORAGE_TIMEOUTS] = COUNTER("timeouts", false, "connections closed for their silence"),
	[STORAGE_BROKEN] = COUNTER("broken", false, "connections ended within a request"),
	[STORAGE_HTTP_CONNECTIONS] = COUNTER("http_connections", true, "open HTTP connections"),
	[STORAGE_HTTP_TIMEOUTS] = COUNTER("http_timeouts", false, "HTTP connections cut, too slow"),
	[STORAGE_SCRUBBED] = COUNTER("scrubbed", false, "bytes checked in the background"),
	[STORAGE_QUARANTINED] = COUNTER("quarantined", true, "places that do not match"),
#define HTTP(figure, name, help) [STORAGE_HTTP_FIGURES + (figure)] = COUNTER(name, false, help)
	HTTP(DELIVERY_PICTURES, "http_pictures", "pictures sent over HTTP, parts included"),
	HTTP(DELIVERY_BYTES, "http_bytes_out", "bytes of pictures sent over HTTP"),
	HTTP(DELIVERY_SLICES, "http_slices", "pictures sent over HTTP out of a volume"),
	HTTP(DELIVERY_UNCHANGED, "http_unchanged", "answers 304: the client has the picture"),
	HTTP(DELIVERY_MISSING, "http_missing", "answers 404 and 410"),
	HTTP(DELIVERY_REFUSED, "http_refused", "answers 400, 405 and 416"),
	HTTP(DELIVERY_CORRUPT, "http_corrupt", "answers 502: bytes that did not match"),
	HTTP(DELIVERY_FAILED, "http_failed", "HTTP requests that failed for other reasons"),
};
