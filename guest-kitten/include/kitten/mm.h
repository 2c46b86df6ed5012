/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory: physical ranges, page tables, address spaces.
 *
 * Everything is decided before a task runs: physical memory is bound to its
 * address space in large pages, and there is no page fault that anybody would
 * repair. Only what a task asks for without any rights gets its memory later,
 * when it asks for rights. Unless a comment says otherwise the kernel lock is held.
 */
#ifndef KITTEN_MM_H
#define KITTEN_MM_H

#include <kitten/asm.h>
#include <kitten/types.h>

/* ---- rangeset.c: typed ranges of numbers, sorted and merged ---- */

#define RANGESET_MAX	512

struct range {
	u64 start;
	u64 end;
	u32 type;		/* 0: not in any range */
};

struct rangeset {
	u32 nr;
	struct range r[RANGESET_MAX];
};

/**
 * rangeset_set() - give a range a type, whatever it had before
 * @rs: the set
 * @start: first number
 * @end: first number behind it, above @start
 * @type: the type; 0 removes the range
 *
 * Return: 0, -EINVAL, or -ENOSPC with nothing changed.
 */
int rangeset_set(struct rangeset *rs, u64 start, u64 end, u32 type);

/* Have that many calls of rangeset_set() room for sure? */
bool rangeset_room(const struct rangeset *rs, u32 changes);

/* The type of a number. */
u32 rangeset_get(const struct rangeset *rs, u64 at);

/* Do all numbers of [start, end) have this type? */
bool rangeset_all(const struct rangeset *rs, u64 start, u64 end, u32 type);

/**
 * rangeset_next() - the first part of a range that has a type
 * @rs: the set
 * @at: first number
 * @limit: first number behind
 * @type: the type
 * @start: set to where that part starts
 * @end: set to where it ends, at most @limit
 *
 * Return: false if there is none.
 */
bool rangeset_next(const struct rangeset *rs, u64 at, u64 limit, u32 type,
		   u64 *start, u64 *end);

/**
 * rangeset_find() - a place inside ranges of one type
 * @rs: the set
 * @size: how much, not 0
 * @align: power of two
 * @type: of the ranges to look in
 * @high: the highest place and not the lowest
 * @start: set to the place
 *
 * Return: 0 or -ENOMEM.
 */
int rangeset_find(const struct rangeset *rs, u64 size, u64 align, u32 type,
		  bool high, u64 *start);

/* ---- pmem.c: physical memory ---- */

enum pmem_type {
	PMEM_NONE,
	PMEM_FREE,
	PMEM_KERNEL,
	PMEM_ARCHIVE,
	PMEM_USER,
};

/* Also a structure of the system calls. */
struct pmem_region {
	u64 start;
	u64 end;
	u32 type;
	u32 reserved;
};

int pmem_add(u64 start, u64 end, enum pmem_type type);

/**
 * pmem_alloc() - take physically contiguous memory
 * @size: bytes, rounded up to pages
 * @align: power of two, at least a page
 * @type: what for; the kernel's comes from below, tasks' from above
 * @pa: set to its address
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int pmem_alloc(u64 size, u64 align, enum pmem_type type, u64 *pa);

/* Gives back what has this type throughout; else -EINVAL. */
int pmem_free(u64 pa, u64 size, enum pmem_type type);

/* Is all of it memory of this type? */
bool pmem_is(u64 pa, u64 size, enum pmem_type type);

/* The region number @nr in ascending order; -ENOENT behind the last. */
int pmem_query(u32 nr, struct pmem_region *region);

/* Bytes of a type. */
u64 pmem_total(enum pmem_type type);

/* One zeroed page for the kernel; NULL if there is none. */
void *kpage_alloc(void);
void kpage_free(void *page);

/* After many of these: as much as can be is free for everybody. */
void kpages_settle(void);

/* ---- linear.c: the kernel's own addresses ---- */

void mm_init(void);
u64 kernel_root(void);

/* Does the linear mapping have all of this? */
bool linear_covers(u64 pa, u64 size);

#ifdef KITTEN_HOST_TEST
void *phys_to_virt(u64 pa);
u64 virt_to_phys(const void *va);
#else
static inline void *phys_to_virt(u64 pa)
{
	return (void *)(LINEAR_BASE + pa);
}

/* Of addresses in the linear mapping. */
static inline u64 virt_to_phys(const void *va)
{
	return (u64)va - LINEAR_BASE;
}
#endif

/* One page outside RAM; PT_* flags. NULL if there is no room. */
void *vmap(u64 pa, u64 flags);
void vunmap(void *va);

/* ---- pagetable.c ---- */

#define PT_PRESENT	(1ULL << 0)
#define PT_WRITE	(1ULL << 1)
#define PT_USER		(1ULL << 2)
#define PT_UNCACHED	(3ULL << 3)	/* write through, cache disable */
#define PT_LARGE	(1ULL << 7)
#define PT_GLOBAL	(1ULL << 8)
#define PT_NX		(1ULL << 63)
#define PT_ADDR		0x000ffffffffff000ULL

/**
 * pt_map() - map physical memory in the largest pages that fit
 * @root: top table
 * @va: page aligned
 * @pa: page aligned
 * @size: page aligned
 * @flags: PT_*; present is added
 * @max_page: largest page to use: 4 KiB, 2 MiB or 1 GiB
 *
 * Return: 0, -EINVAL, -ENOMEM, or -EEXIST if something is mapped there. What
 * was mapped before the error stays.
 */
int pt_map(u64 *root, u64 va, u64 pa, u64 size, u64 flags, u64 max_page);

/**
 * pt_walk() - find what an address is mapped to
 * @root: top table
 * @va: the address
 * @page: set to the size of the page, may be NULL
 *
 * Return: the entry with the address of @va's own byte in place of the page's,
 * or 0.
 */
u64 pt_walk(const u64 *root, u64 va, u64 *page);

/* Gives back the tables below one entry of the top table. */
void pt_free(u64 *root, unsigned int slot);

/* The largest page that the processor has. */
u64 pt_max_page(void);

/* Removes one small page. */
void pt_unmap_page(u64 *root, u64 va);

/*
 * Takes tables of small pages out of use that have none left, of those for
 * [start, end). When no processor knows them any more, they can be given back;
 * nothing may be mapped there in between.
 */
void pt_cut_empty(u64 *root, u64 start, u64 end);
void pt_free_cut(u64 *root, u64 start, u64 end);

/* ---- aspace.c ---- */

#define MAX_ASPACES	32
#define ASPACE_REGIONS	16

/* A task's own memory lies in the first slot of the top page table. */
#define USER_SLOT_SIZE	(1ULL << 39)
#define USER_MIN	0x10000ULL
#define PIE_BASE	(1ULL << 30)

/* Flags of regions; also for system calls. */
#define ASPACE_READ	(1U << 0)
#define ASPACE_WRITE	(1U << 1)
#define ASPACE_EXEC	(1U << 2)
#define ASPACE_HEAP	(1U << 3)	/* brk and mmap take from it */
#define ASPACE_RESERVE	(1U << 4)	/* mmap without rights takes from it */
#define ASPACE_FLAGS	0x1f
#define ASPACE_OWNED	(1U << 8)	/* the kernel's: memory goes with it */

struct aspace_region {
	u64 start;
	u64 end;
	u64 pa;			/* of what ASPACE_OWNED frees */
	u32 flags;
	bool mapped;
	char name[16];
};

/**
 * struct aspace - an address space
 * @id: number from 1, 0 if this place is free
 * @name: for people
 * @root: top page table
 * @nr_tasks: tasks that live in it
 * @nr_regions: entries of @region
 * @region: what addresses are for
 * @brk_start: start of the heap
 * @brk: end of what brk() has given out
 * @heap_end: end of the heap
 * @heap_pa: its memory, once it is bound
 * @heap: what mmap() has given out
 * @reserve_start: start of the addresses that mmap() gives without memory
 * @reserve_end: end of them
 * @reserve: which of them are given out, and which have memory
 */
struct aspace {
	u32 id;
	char name[16];
	u64 *root;
	u32 nr_tasks;
	u32 nr_regions;
	struct aspace_region region[ASPACE_REGIONS];
	u64 brk_start;
	u64 brk;
	u64 heap_end;
	u64 heap_pa;
	struct rangeset heap;
	u64 reserve_start;
	u64 reserve_end;
	struct rangeset reserve;
};

struct aspace *aspace_find(u32 id);
int aspace_create(const char *name, struct aspace **as);

/* Takes back page tables and owned memory; -EBUSY while a task lives in it. */
int aspace_destroy(struct aspace *as);

/**
 * aspace_add_region() - say what a range of addresses is for
 * @as: the address space
 * @start: page aligned
 * @size: page aligned, not 0
 * @flags: ASPACE_READ, ...
 * @name: for people
 *
 * Return: 0, -EINVAL, -EEXIST if it overlaps another, -ENOSPC.
 */
int aspace_add_region(struct aspace *as, u64 start, u64 size, u32 flags,
		      const char *name);

/**
 * aspace_map_pmem() - bind physical memory to a whole region
 * @as: the address space
 * @pa: page aligned; memory of type PMEM_USER or, read-only, PMEM_ARCHIVE
 * @start: of the region
 * @size: of the region
 *
 * Return: 0, -EINVAL, -EPERM for memory that is not for tasks, -EBUSY if the
 * region is bound, -ENOMEM.
 */
int aspace_map_pmem(struct aspace *as, u64 pa, u64 start, u64 size);

/* Does an address space show any of this physical memory? */
bool aspace_uses_pmem(u64 pa, u64 size);

/**
 * aspace_smartmap() - show one address space inside another
 * @src: whose slot 0 is shown
 * @dst: where
 * @rank: shown in slot @rank + 1 of @dst
 *
 * Return: 0, -EINVAL or -EEXIST.
 */
int aspace_smartmap(struct aspace *src, struct aspace *dst, u32 rank);

/* The heap: what brk() and mmap() do. Addresses; or -errno for mmap. */
u64 aspace_brk(struct aspace *as, u64 brk);
s64 aspace_mmap(struct aspace *as, u64 size);
int aspace_munmap(struct aspace *as, u64 start, u64 size);

/* Is all of it given out by aspace_brk() or aspace_mmap()? */
bool aspace_in_heap(const struct aspace *as, u64 start, u64 end);

/* Bytes of the heap that are free, and of all other memory. */
u64 aspace_free(const struct aspace *as);
u64 aspace_used(const struct aspace *as);

/*
 * Addresses without memory. What takes long is done a part at a time, so that
 * the caller can give the kernel lock back in between.
 */

/**
 * aspace_reserve() - take addresses
 * @as: the address space
 * @size: bytes, rounded up to pages
 *
 * Return: the first address, -EINVAL or -ENOMEM.
 */
s64 aspace_reserve(struct aspace *as, u64 size);

/* Does the range lie among these addresses? */
bool aspace_in_reserve(const struct aspace *as, u64 start, u64 end);

/* ... and is all of it taken? */
bool aspace_reserved(const struct aspace *as, u64 start, u64 end);

/**
 * aspace_commit() - give memory to the first addresses that have none
 * @as: the address space
 * @start: page aligned
 * @end: page aligned; aspace_reserved()
 *
 * The memory comes from the heap, and is clear before anybody sees it.
 *
 * Return: 1 if there may be more to do, 0 if all have memory, or -ENOMEM.
 */
int aspace_commit(struct aspace *as, u64 start, u64 end);

/**
 * aspace_decommit() - take memory back
 * @as: the address space
 * @start: page aligned
 * @end: page aligned; aspace_in_reserve()
 * @release: give the addresses back, too
 *
 * Return: how many bytes from @start on are done, or -ENOMEM.
 */
s64 aspace_decommit(struct aspace *as, u64 start, u64 end, bool release);

/* The first part with memory, as rangeset_next() tells it. */
bool aspace_committed(const struct aspace *as, u64 at, u64 limit, u64 *start,
		      u64 *end);

/**
 * aspace_rights() - may all of a range be used in a way?
 * @as: the address space
 * @start: of the range
 * @end: of the range
 * @flags: ASPACE_WRITE, ASPACE_EXEC
 *
 * Return: 0, -EACCES, or -ENOMEM if there is something in it that is nothing.
 */
int aspace_rights(const struct aspace *as, u64 start, u64 end, u32 flags);

/* Physical address behind an address of the task; 0 if there is none. */
u64 aspace_translate(struct aspace *as, u64 va);

/* Another CPU may have page-table entries cached that have changed. */
void flush_all_cpus(void);

/* ---- user.c: memory of the task that runs ---- */

/* 0 or -EFAULT. No lock needed. */
int copy_from_user(void *dst, u64 src, u64 n);
int copy_to_user(u64 dst, const void *src, u64 n);
int clear_user(u64 dst, u64 n);

/**
 * cmpxchg_user() - give a word a new value if it has the old one
 * @va: its address
 * @old: the value expected; set to the one found
 * @new: the value to give
 *
 * Context: atomic, also against user mode on other CPUs.
 * Return: 0 or -EFAULT.
 */
int cmpxchg_user(u64 va, u32 *old, u32 new);

/* Length without the NUL, or -EFAULT, or -ENAMETOOLONG. */
s64 copy_string_from_user(char *dst, u64 src, u64 size);

#endif /* KITTEN_MM_H */
