// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own calls with arguments that init_task should not use, and
 * programs that are none. Only init_task can test this.
 */
#include "init_task.h"

#include <linux/elf.h>

#define PAGE		4096ULL
#define KERNEL_LINEAR	0xffff800000000000ULL
#define NOWHERE		0x700000000000ULL
#define VA		(1ULL << 30)
#define APIC		0xfee00000ULL
#define KERNEL_PA	0x100000ULL

#define EINVAL_		(-22)
#define EPERM_		(-1)
#define EFAULT_		(-14)
#define EBUSY_		(-16)
#define ECHILD_		(-10)
#define ENOENT_		(-2)
#define ENOMEM_		(-12)
#define ENOEXEC_	(-8)

static u32 nr, failed;

static void expect(s64 got, s64 want, const char *name)
{
	if (got != want) {
		failed++;
		print(1, "# got %d, expected %d\n", (int)got, (int)want);
	}
	print(1, "%sok %u %s\n", got == want ? "" : "not ", (u64)++nr, name);
}

static void test_pmem(void)
{
	struct lwk_pmem p = { .start = KERNEL_PA, .end = KERNEL_PA + PAGE };
	u64 bad = (u64)&p;

	expect(pmem_add(&p), EINVAL_, "pmem_add of the kernel's");
	p.start = APIC;
	p.end = APIC + PAGE;
	expect(pmem_add(&p), EINVAL_, "pmem_add of a device");
	p.end = 0;
	expect(pmem_add(&p), EINVAL_, "pmem_add backwards");
	expect(pmem_add((void *)NOWHERE), EFAULT_, "pmem_add, bad pointer");
	expect(pmem_alloc(0, PAGE, &p), EINVAL_, "pmem_alloc of nothing");
	expect(pmem_alloc(~0ULL, PAGE, &p), EINVAL_, "pmem_alloc, overflow");
	expect(pmem_alloc(1ULL << 50, PAGE, &p), ENOMEM_, "pmem_alloc of all");
	expect(pmem_alloc(PAGE, 3, &p), EINVAL_, "pmem_alloc, bad alignment");
	expect(pmem_alloc(PAGE, PAGE, (void *)KERNEL_LINEAR), EFAULT_,
	       "pmem_alloc, kernel pointer");
	p.start = KERNEL_PA;
	p.end = KERNEL_PA + PAGE;
	expect(pmem_free(&p), EINVAL_, "pmem_free of the kernel's");
	expect(pmem_query(100000, &p), ENOENT_, "pmem_query behind the last");
	expect(pmem_query(0, (void *)(bad | 1ULL << 47)), EFAULT_,
	       "pmem_query, bad pointer");
}

static void test_aspace(void)
{
	struct lwk_pmem p;
	int id = aspace_create("test");

	expect(id > 0, 1, "aspace_create");
	expect(aspace_create((void *)KERNEL_LINEAR), EFAULT_,
	       "aspace_create, kernel pointer");
	expect(aspace_create("a name without an end to it"), -36,
	       "aspace_create, long name");
	expect(aspace_add_region(0, VA, PAGE, LWK_READ, ""), EINVAL_,
	       "aspace 0");
	expect(aspace_add_region(~0U, VA, PAGE, LWK_READ, ""), EINVAL_,
	       "aspace -1");
	expect(aspace_add_region(id, KERNEL_LINEAR, PAGE, LWK_READ, ""),
	       EINVAL_, "region in the kernel");
	expect(aspace_add_region(id, VA, ~0ULL & ~(PAGE - 1), LWK_READ, ""),
	       EINVAL_, "region, overflow");
	expect(aspace_add_region(id, VA, PAGE, LWK_WRITE | LWK_EXEC, ""),
	       EINVAL_, "region to write and execute");
	expect(aspace_add_region(id, VA, PAGE, 0x100, ""), EINVAL_,
	       "region, flag of the kernel's");
	expect(aspace_add_region(id, VA, PAGE, LWK_READ | LWK_WRITE, "a"), 0,
	       "region");
	expect(aspace_map_pmem(id, KERNEL_PA, VA, PAGE), EPERM_,
	       "kernel memory in a task");
	expect(aspace_map_pmem(id, APIC, VA, PAGE), EPERM_,
	       "a device in a task");
	expect(aspace_map_pmem(id, 0, VA, PAGE), EPERM_, "page 0 in a task");
	expect(aspace_smartmap(id, id, 300), EINVAL_, "smartmap, bad rank");
	expect(aspace_smartmap(id, 77, 0), EINVAL_, "smartmap to nobody");
	expect(aspace_smartmap(id, 1, 0), EINVAL_, "smartmap of nothing");
	expect(pmem_alloc(PAGE, PAGE, &p), 0, "pmem_alloc");
	expect(aspace_map_pmem(id, p.start, VA, PAGE), 0, "aspace_map_pmem");
	expect(pmem_free(&p), EBUSY_, "pmem_free of memory in use");
	expect(aspace_destroy(1), EBUSY_, "aspace_destroy of our own");
	expect(aspace_destroy(id), 0, "aspace_destroy");
	expect(aspace_destroy(id), EINVAL_, "aspace_destroy again");
	expect(pmem_free(&p), 0, "pmem_free");
}

static void test_task(void)
{
	struct lwk_task t = { .aspace = 0 };
	int id = aspace_create("test");

	expect(task_create((void *)NOWHERE), EFAULT_, "task, bad pointer");
	expect(task_create(&t), EINVAL_, "task without an address space");
	t.aspace = id;
	t.stack = VA;
	t.stack_size = 1 << 20;
	expect(task_create(&t), EINVAL_, "task without a stack");
	t.stack = KERNEL_LINEAR;
	expect(task_create(&t), EINVAL_, "task with a stack in the kernel");
	t.cpu = 99;
	expect(task_create(&t), EINVAL_, "task on no CPU");
	expect(task_wait(0), ECHILD_, "wait for nobody");
	expect(task_wait(1), ECHILD_, "wait for oneself");
	expect(task_wait(~0U), ECHILD_, "wait for -1");
	expect(aspace_destroy(id), 0, "aspace_destroy");
}

/* A program with one segment; the memory behind it is the file. */
static struct {
	Elf64_Ehdr head;
	Elf64_Phdr phdr;
	char rest[PAGE];
} elf;

static void make_elf(void)
{
	elf.head = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_entry = VA,
		.e_phoff = sizeof(elf.head), .e_phnum = 1,
		.e_phentsize = sizeof(elf.phdr),
	};
	elf.phdr = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = VA,
		.p_filesz = PAGE, .p_memsz = PAGE,
	};
}

static void try_elf(const void *file, u64 size, s64 want, const char *name)
{
	struct lwk_image image;
	int id = aspace_create("test");

	expect(aspace_load(id, file, size, &image), want, name);
	if (aspace_destroy(id))
		expect(1, 0, "aspace_destroy");
	make_elf();
}

static void test_elf(void)
{
	make_elf();
	try_elf(&elf, sizeof(elf), 0, "a good program");
	try_elf(&elf, 10, ENOEXEC_, "truncated in the header");
	try_elf(&elf, sizeof(elf.head), ENOEXEC_, "no program headers");
	try_elf(&elf, PAGE - 1, ENOEXEC_, "truncated in the segment");
	try_elf(&elf, 0, ENOEXEC_, "empty");
	try_elf((void *)KERNEL_LINEAR, PAGE, EFAULT_, "in the kernel");
	try_elf((void *)NOWHERE, PAGE, EFAULT_, "nowhere");
	try_elf(NULL, PAGE, EFAULT_, "at null");
	try_elf(&elf, ~0ULL, EINVAL_, "of all sizes");
	elf.phdr.p_vaddr = KERNEL_LINEAR;
	try_elf(&elf, sizeof(elf), ENOEXEC_, "for kernel addresses");
	elf.phdr.p_vaddr = 0;
	try_elf(&elf, sizeof(elf), ENOEXEC_, "for address 0");
	elf.phdr.p_vaddr = VA + 8;
	try_elf(&elf, sizeof(elf), ENOEXEC_, "unaligned");
	elf.phdr.p_memsz = 1ULL << 38;
	try_elf(&elf, sizeof(elf), ENOMEM_, "huge");
	elf.phdr.p_offset = ~(PAGE - 1);
	try_elf(&elf, sizeof(elf), ENOEXEC_, "offset overflows");
	elf.head.e_phnum = 2;
	elf.phdr.p_memsz = 2 * PAGE;
	*(Elf64_Phdr *)elf.rest = elf.phdr;
	try_elf(&elf, sizeof(elf), ENOEXEC_, "overlapping segments");
	elf.phdr.p_flags |= PF_W;
	try_elf(&elf, sizeof(elf), ENOEXEC_, "to write and execute");
	elf.head.e_entry = VA - 1;
	try_elf(&elf, sizeof(elf), ENOEXEC_, "entry outside");
}

int init_test(void)
{
	u64 before = 0, after = 0;
	struct lwk_pmem p;

	nr = 0;
	failed = 0;
	print(1, "KTAP version 1\n");
	for (u32 i = 0; !pmem_query(i, &p); i++)
		before += p.type == LWK_PMEM_FREE_TYPE ? p.end - p.start : 0;
	test_pmem();
	test_aspace();
	test_task();
	test_elf();
	for (u32 i = 0; !pmem_query(i, &p); i++)
		after += p.type == LWK_PMEM_FREE_TYPE ? p.end - p.start : 0;
	expect(after, before, "no memory is lost");
	print(1, "1..%u\n", (u64)nr);
	return failed ? 1 : 0;
}
