#include "meta/sql.h"

void sql_close(struct sql *sql)
{
	if (sql != NULL)
		sql->ops->close(sql);
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

int64_t sql_changes(struct sql_query *query)
{
	return query->sql->ops->changes(query);
}
