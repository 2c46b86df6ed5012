// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_mm: how programs look as text.
 */
#include <stdlib.h>
#include <string.h>

#include "table.h"

void step_print(FILE *f, const struct step *s)
{
	const struct row *row = &rows[s->op];
	unsigned int i;

	fprintf(f, "%s", row->name);
	for (i = 0; i < MAX_ARGS && row->arg[i]; i++) {
		const char *const *words = kind_words(row->arg[i]);

		if (words)
			fprintf(f, " %s", words[s->arg[i]]);
		else if (kind_device(row->arg[i]))
			fprintf(f, " %s", inventory.device[s->arg[i]]);
		else
			fprintf(f, " %d", s->arg[i]);
	}
	fprintf(f, "%s\n", s->bg ? " &" : "");
}

void program_print(FILE *f, const struct program *p, const char *before)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		fprintf(f, "%s", before);
		step_print(f, &p->step[i]);
	}
	fflush(f);
}

static bool in_range(enum kind kind, int val)
{
	switch (kind) {
	case K_PROC:
	case K_NEW:
	case K_PINNED:
		return val >= 0 && val < NR_PROCS;
	case K_PAGE:
		return val >= 0 && val < ARENA_PAGES;
	case K_COUNT:
	case K_FEW:
	case K_SIZE:
		return val > 0 && val <= MAX_COUNT;
	case K_PIPE:
	case K_PIPED:
		return val >= 0 && val < NR_PIPES;
	case K_GROUP:
		return val >= 0 && val < NR_GROUPS;
	case K_MS:
		return val >= 0 && val <= 1000;
	case K_US:
		return val >= 0 && val <= 100000;
	case K_CPU:
		return val >= 1 && val <= 3;
	case K_NODE:
		return val == 0 || val == 1;
	case K_MIB:
		return val > 0 && val <= 1024;
	default:
		return true;
	}
}

/* One argument. A device is known by its name, and must be here. */
static bool read_arg(enum kind kind, const char *word, int *val)
{
	const char *const *words = kind_words(kind);
	char *end;
	int i;

	if (words) {
		for (i = 0; words[i]; i++) {
			if (!strcmp(words[i], word)) {
				*val = i;
				return true;
			}
		}
		return false;
	}
	if (kind_device(kind)) {
		for (i = 0; i < (int)inventory.nr_devices; i++) {
			if (!strcmp(inventory.device[i], word)) {
				*val = i;
				return true;
			}
		}
		return false;
	}
	*val = strtol(word, &end, 10);
	return !*end && end != word && in_range(kind, *val);
}

static bool read_step(struct step *s, char *line)
{
	char *save, *word = strtok_r(line, "\n ", &save);
	enum op op = op_find(word);
	unsigned int i;

	if (op == OP_NR)
		return false;
	memset(s, 0, sizeof(*s));
	s->op = op;
	for (i = 0; i < MAX_ARGS && rows[op].arg[i]; i++) {
		word = strtok_r(NULL, "\n ", &save);
		if (!word || !read_arg(rows[op].arg[i], word, &s->arg[i]))
			return false;
	}
	word = strtok_r(NULL, "\n ", &save);
	if (!word)
		return true;
	s->bg = !strcmp(word, "&") && rows[op].flags & BG;
	return s->bg && !strtok_r(NULL, "\n ", &save);
}

bool program_read(struct program *p, const char *path)
{
	char line[256], copy[256];
	FILE *f = fopen(path, "re");
	bool good = true;

	p->nr = 0;
	if (!f) {
		perror(path);
		return false;
	}
	while (good && fgets(line, sizeof(line), f)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		snprintf(copy, sizeof(copy), "%s", line);
		good = p->nr < MAX_STEPS && read_step(&p->step[p->nr], line);
		if (!good)
			fprintf(stderr, "%s: no step: %s", path, copy);
		p->nr++;
	}
	fclose(f);
	return good;
}
