// SPDX-License-Identifier: GPL-2.0
/*
 * Does what ends a task: `fault KIND`. The kernel and the next task go on.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_LINEAR	0xffff800000100000UL
#define KERNEL_IMAGE	0xffffffff80100000UL
/* Nobody is rank 99. */
#define OTHER_RANK	((100UL << 39) | 0x400000)

static const char constant[] = "constant";

static void touch(uintptr_t where)
{
	(*(volatile char *)where)++;
}

static void execute(const void *where)
{
	((void (*)(void))(uintptr_t)where)();
}

static void smash_stack(void)
{
	/* The stack pointer is no place for the kernel to write to. */
	asm volatile("movq $0, %%rsp; ud2" ::: "memory");
}

int main(int argc, char **argv)
{
	static unsigned char data[16] = { 0xc3 };
	const char *kind = argc > 1 ? argv[1] : "";

	if (!strcmp(kind, "null"))
		touch(0);
	else if (!strcmp(kind, "kernel"))
		touch(KERNEL_LINEAR);
	else if (!strcmp(kind, "image"))
		touch(KERNEL_IMAGE);
	else if (!strcmp(kind, "rank"))
		touch(OTHER_RANK);
	else if (!strcmp(kind, "text"))
		touch((uintptr_t)main);
	else if (!strcmp(kind, "constant"))
		touch((uintptr_t)constant);
	else if (!strcmp(kind, "data"))
		execute(data);
	else if (!strcmp(kind, "jump"))
		execute((void *)KERNEL_IMAGE);
	else if (!strcmp(kind, "canonical"))
		touch(0x800000000000UL);
	else if (!strcmp(kind, "hlt"))
		asm volatile("hlt");
	else if (!strcmp(kind, "cli"))
		asm volatile("cli");
	else if (!strcmp(kind, "port"))
		asm volatile("outb %%al, $0x80" :: "a" (0));
	else if (!strcmp(kind, "msr"))
		asm volatile("rdmsr" :: "c" (0xc0000080) : "rax", "rdx");
	else if (!strcmp(kind, "interrupt"))
		asm volatile("int $0x20");
	else if (!strcmp(kind, "int3"))
		asm volatile("int3");
	else if (!strcmp(kind, "divide"))
		asm volatile("xorl %%ecx, %%ecx; divl %%ecx"
			     ::: "rax", "rcx", "rdx");
	else if (!strcmp(kind, "stack"))
		smash_stack();
	else if (!strcmp(kind, "step"))
		asm volatile("pushf; orl $0x100, (%%rsp); popf; nop; nop"
			     ::: "memory", "cc");
	else if (!strcmp(kind, "abort"))
		abort();
	else
		return 2;
	printf("still here\n");
	return 0;
}
