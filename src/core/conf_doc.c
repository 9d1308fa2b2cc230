#include "core/buf.h"
#include "core/conf.h"
#include "core/conf_value.h"

#include <string.h>

enum { WRAP = 90 }; /* columns of a comment in the sample */

static bool begins_section(const struct conf_table *table, size_t i)
{
	return i == 0 || strcmp(table->keys[i].section, table->keys[i - 1].section) != 0;
}

static bool has_bounds(const struct conf_key *key)
{
	return key->min != 0 || key->max != 0;
}

static const char *type_text(enum conf_type type)
{
	switch (type) {
	case CONF_TEXT:
		return "text";
	case CONF_PATH:
		return "path";
	case CONF_PATHS:
		return "paths";
	case CONF_BOOL:
		return "yes or no";
	case CONF_INT:
		return "number";
	case CONF_SIZE:
		return "size";
	case CONF_DURATION:
		return "time";
	case CONF_MODE:
		return "file mode";
	case CONF_CHOICE:
		return "one of";
	case CONF_ADDRESS:
		return "address";
	case CONF_LIST:
		return "list";
	}
	return "";
}

/* "time, 1s to 1d" or "one of full, header". */
static void put_type(const struct conf_key *key, struct buf *out)
{
	buf_put_str(out, type_text(key->type));
	if (key->type == CONF_CHOICE) {
		buf_put_str(out, " ");
		for (const char *c = key->choices; *c != '\0'; c++)
			buf_put(out, *c == '|' ? ", " : c, *c == '|' ? 2 : 1);
	} else if (has_bounds(key)) {
		buf_put_str(out, ", ");
		conf_value_put_bound(key, key->min, out);
		buf_put_str(out, " to ");
		conf_value_put_bound(key, key->max, out);
	}
}

/* `text` in lines that begin with "# ". */
static void put_comment(const char *text, struct buf *out)
{
	while (*text != '\0') {
		size_t len = strlen(text);

		if (len > WRAP) {
			for (len = WRAP; len > 0 && text[len] != ' '; len--)
				continue;
			if (len == 0)
				len = strcspn(text, " ");
		}
		buf_printf(out, "# %.*s\n", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
}

void conf_sample(const struct conf_table *table, struct buf *out)
{
	struct buf line;

	buf_init(&line, 4096);
	buf_put_str(out,
		"# picstore.conf: every key at its default.  Take the # away from a line to\n"
		"# change it; the programs refuse what they do not know.\n");
	for (size_t i = 0; i < table->count; i++) {
		const struct conf_key *key = &table->keys[i];
		bool named = conf_takes_name(table, key->section);

		if (begins_section(table, i))
			buf_printf(out, "\n%s[%s%s]\n", named ? "#" : "", key->section,
				named ? " NAME" : "");
		buf_clear(&line);
		buf_printf(&line, "%s (", key->help);
		put_type(key, &line);
		buf_put_str(&line, ")");
		buf_put_u8(&line, 0);
		buf_put_str(out, "\n");
		if (buf_ok(&line))
			put_comment((const char *)line.data, out);
		buf_printf(out, "#%s =%s%s\n", key->name, key->value[0] != '\0' ? " " : "",
			key->value);
	}
	buf_fini(&line);
}

/* A cell of a Markdown table, where a bar would end it. */
static void put_cell(const char *text, struct buf *out)
{
	for (; *text != '\0'; text++)
		buf_put(out, *text == '|' ? "\\|" : text, *text == '|' ? 2 : 1);
}

void conf_markdown(const struct conf_table *table, struct buf *out)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct conf_key *key = &table->keys[i];

		if (begins_section(table, i))
			buf_printf(out,
				"%s## [%s%s]\n\n| key | value | default | meaning "
				"|\n|---|---|---|---|\n",
				i == 0 ? "" : "\n", key->section,
				conf_takes_name(table, key->section) ? " NAME" : "");
		buf_printf(out, "| `%s` | ", key->name);
		put_type(key, out);
		if (key->value[0] == '\0')
			buf_put_str(out, " |  | ");
		else
			buf_printf(out, " | `%s` | ", key->value);
		put_cell(key->help, out);
		buf_put_str(out, " |\n");
	}
}
