#include "meta/sql.h"

#include <string.h>

void sql_close(struct sql *sql)
{
	if (sql != NULL)
		sql->ops->close(sql);
}

int sql_exec(struct sql *sql, const char *text, struct err *err)
{
	return sql->ops->exec(sql, text, err);
}

int sql_begin_read(struct sql *sql, struct err *err)
{
	return sql->ops->begin_read(sql, err);
}

int sql_begin(struct sql *sql, struct err *err)
{
	return sql->ops->begin(sql, err);
}

int sql_commit(struct sql *sql, struct err *err)
{
	return sql->ops->commit(sql, err);
}

void sql_rollback(struct sql *sql)
{
	sql->ops->rollback(sql);
}

struct sql_query *sql_prepare(struct sql *sql, const char *text, struct err *err)
{
	return sql->ops->prepare(sql, text, err);
}

void sql_put_int(struct sql_query *query, int at, int64_t value)
{
	query->sql->ops->put_int(query, at, value);
}

void sql_put_text(struct sql_query *query, int at, struct span text)
{
	query->sql->ops->put_text(query, at, text);
}

void sql_put_blob(struct sql_query *query, int at, struct span blob)
{
	query->sql->ops->put_blob(query, at, blob);
}

void sql_put_null(struct sql_query *query, int at)
{
	query->sql->ops->put_null(query, at);
}

int sql_step(struct sql_query *query, struct err *err)
{
	return query->sql->ops->step(query, err);
}

int sql_run(struct sql_query *query, struct err *err)
{
	int got;

	do
		got = sql_step(query, err);
	while (got > 0);
	return got;
}

void sql_reset(struct sql_query *query)
{
	query->sql->ops->reset(query);
}

int64_t sql_int(struct sql_query *query, int at)
{
	return query->sql->ops->get_int(query, at);
}

struct span sql_text(struct sql_query *query, int at)
{
	return query->sql->ops->get_text(query, at);
}

struct span sql_blob(struct sql_query *query, int at)
{
	return query->sql->ops->get_blob(query, at);
}

bool sql_is_null(struct sql_query *query, int at)
{
	return query->sql->ops->is_null(query, at);
}

bool sql_copy(struct sql_query *query, int at, char *out, size_t size)
{
	struct span text = sql_text(query, at);
	size_t len = text.len < size ? text.len : size - 1;

	if (len > 0)
		memcpy(out, text.data, len);
	out[len] = '\0';
	return len == text.len;
}

int64_t sql_changes(struct sql_query *query)
{
	return query->sql->ops->changes(query);
}
