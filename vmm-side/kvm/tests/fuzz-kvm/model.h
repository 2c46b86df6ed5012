/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kvm_fuzz knows of the VM: the oracle. What each page of the host holds, which
 * translations a vCPU may use, and what it must see then.
 */
#ifndef MODEL_H
#define MODEL_H

#include <linux/types.h>
#include <stdbool.h>

#include "program.h"

#define WINDOW_PAGES	64
#define MEMORY_PAGES	512		/* a huge page */
#define MOST_PAGES	MEMORY_PAGES
#define WINDOW_GPA	0x20000000ULL
#define MEMORY_GPA	0x30000000ULL
#define MOVED_GPA	0x38000000ULL	/* where either can be moved to, */
#define MOVED_STEP	0x01000000ULL	/* each to its own place */

/* The guest's swap entries. */
#define SWAP_MASK	0xc01ULL
#define SWAP_MATCH	0x400ULL
#define SWAP_EXCLUSIVE	0x8ULL

#define NR_TABLES	3
#define NR_PDS		2	/* the first two roots share one */
#define NR_ROOTS	3	/* and as many of five levels */
#define NR_TOPS		(2 * NR_ROOTS)
#define TOP_INDEX	1	/* of the entries that lead to the higher places */

/* Descriptions of windows; the last three are refused. */
enum { DESC_ALL, DESC_HALF, DESC_MEMORY, DESC_NOWHERE, DESC_MASK, DESC_TOO_LONG, NR_DESCS };

enum { WINDOW, MEMORY, NR_REGIONS };
enum { ALTS = 2 };		/* memories that a slot can have */

/**
 * struct memory - host memory behind a slot
 * @content: its pages' first words
 * @mapped: where it is
 * @file: what it is of; -1: anonymous
 * @length: pages that the file has
 * @prot: PROT_IS_*
 */
struct memory {
	__u64 content[MOST_PAGES];
	__u64 *mapped;
	int file;
	unsigned int length;
	unsigned int prot;
};

/**
 * struct region - a slot
 * @present: the slot is there
 * @read_only: for the guest
 * @log: which pages the guest writes to is logged
 * @gpa: where it is in the guest
 * @pages: how many
 * @alt: which of its memories it has
 * @memory: these
 * @dirty: pages that the guest has written to since the log was read
 */
struct region {
	bool present;
	bool read_only;
	bool log;
	__u64 gpa;
	unsigned int pages;
	unsigned int alt;
	struct memory memory[ALTS];
	bool dirty[MOST_PAGES];
};

enum entry_level { LEVEL_PTE, LEVEL_PDE, LEVEL_PDPTE, LEVEL_TOP };

/* A page-table entry that vCPUs may still use, though it has changed. */
struct old_entry {
	enum entry_level level;
	__u8 vcpus;		/* a bit for each, and one for what it has at higher places */
	unsigned int table;	/* or page directory, tree, root */
	unsigned int index;
	__u64 value;
};

/* The guest has answered that this page may be used, for this PTE at this place. */
struct grant {
	unsigned int table;
	unsigned int index;
	unsigned int root;
	unsigned int place;	/* 512 * place in the directory + index */
	__u64 pte;
	unsigned int slot;
	__u64 gpa;
	bool writable;
};

#define MOST_OLD	64
#define MOST_NAMED	64
#define MOST_GRANTS	1024

struct model {
	struct region region[NR_REGIONS];
	__u64 pte[NR_TABLES][512];
	__u64 pde[NR_PDS][NR_PLACES];
	__u64 pdpte[NR_PDS];	/* what is above these */
	__u64 top[NR_TOPS];	/* and above these, for the higher places */
	unsigned int nr_old;
	struct old_entry old[MOST_OLD];
	__u8 lost;		/* vCPUs of whose old entries it has lost count */
	unsigned int nr_named;	/* all that entries of the page table in memory have been; */
	bool named_lost;	/* there are more */
	struct {
		unsigned int index;
		__u64 value;
	} named[MOST_NAMED];
	unsigned int nr_grants;
	bool grants_lost;	/* there are more */
	struct grant grant[MOST_GRANTS];
	unsigned int descs;	/* that may be attached, a bit for each */
	__u64 desc_gpa[NR_DESCS]; /* where their windows were then */
	unsigned int root[NR_VCPUS];
	bool wp[NR_VCPUS];
	bool nx[NR_VCPUS];	/* it has the bit */
	bool smep[NR_VCPUS];	/* its kernel executes nothing of a user's, */
	bool smap[NR_VCPUS];	/* or touches nothing */
	unsigned int mode[NR_VCPUS];	/* MODE_* */
};

struct access {
	unsigned int vcpu;
	bool write;
	bool user;
	bool exec;
	bool high;		/* at a higher place; model_find() knows it */
};

/* What an access may find. */
struct finding {
	enum { FOUND_FAULT, FOUND_PAGE, FOUND_NOTHING, FOUND_NO_MEMORY, FOUND_ANY } what;
	unsigned int region;
	unsigned int page;
};

#define MOST_FINDINGS	48

struct findings {
	unsigned int nr;
	struct finding f[MOST_FINDINGS];
};

__u64 model_table_gpa(unsigned int table);
__u64 root_gpa(unsigned int root);
/* What there is at a place for that vCPU: without long mode there are no higher ones. */
unsigned int place_of(const struct model *m, unsigned int vcpu, unsigned int place);
void model_find(const struct model *m, const struct access *a, unsigned int place,
		unsigned int index, struct findings *found);
void model_find_gpa(const struct model *m, const struct access *a, __u64 gpa,
		    struct findings *found);
void model_entry_changes(struct model *m, enum entry_level level, unsigned int table,
			 unsigned int index, __u64 value);
void model_entry_in_memory(struct model *m, unsigned int index, __u64 value);
void model_flush(struct model *m, unsigned int vcpu);
void model_invlpg(struct model *m, unsigned int vcpu, unsigned int place,
		  unsigned int index);
void model_grant(struct model *m, const struct grant *g);
void model_drop_all(struct model *m);
void model_drop_slots(struct model *m, unsigned int first, unsigned int nr);
void model_drop_range(struct model *m, unsigned int root, unsigned int first,
		      unsigned int last);
int model_table_at(const struct model *m, unsigned int root, unsigned int place);

static inline struct memory *memory_of(struct model *m, unsigned int region)
{
	return &m->region[region].memory[m->region[region].alt];
}

static inline unsigned int pd_of(unsigned int root)
{
	return root % NR_ROOTS == 2;
}

#endif /* MODEL_H */
