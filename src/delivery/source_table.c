#include "delivery/source_table.h"

#include "core/clock.h"
#include "delivery/local_source.h"
#include "delivery/remote_source.h"
#include "service/store_client.h"

size_t source_table_greatest(const struct settings *settings)
{
	int64_t greatest = settings->max_picture_bytes;

	for (size_t i = 0; i < settings->storage_count; i++)
		if (settings->storages[i].max_file_size > greatest)
			greatest = settings->storages[i].max_file_size;
	return (size_t)greatest;
}

int source_table_open(struct source_table *table, const struct settings *settings,
	const struct storage_settings *own, struct engine *engine, size_t idle_connections,
	struct err *err)
{
	struct fdfs_client_conf conf;

	*table = (struct source_table){ 0 };
	if (settings->local_read || own != NULL) {
		table->local = local_source_beside(settings, own, engine, clock_mono_ms);
		table->sources[table->count++] = local_source_entry(table->local);
	}
	if (settings->tracker_server.count == 0)
		return 0;
	conf = store_client_conf(settings, source_table_greatest(settings), idle_connections);
	table->client = fdfs_client_new(&conf, err);
	if (table->client == NULL) {
		source_table_close(table);
		return -1;
	}
	table->sources[table->count++] = remote_source_entry(table->client);
	return 0;
}

void source_table_close(struct source_table *table)
{
	fdfs_client_free(table->client);
	local_source_free(table->local);
	*table = (struct source_table){ 0 };
}
