// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's messages, and its last ones.
 */
#include <kitten/arch.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>

static u32 console_lock;

/*
 * Whoever prints may have been interrupted by an NMI or by an exception that
 * wants to print too: that one must not wait for ever.
 */
#define LOCK_PATIENCE	10000000

void kprintf(const char *fmt, ...)
{
	u64 us = clock_ns() / 1000, tries = 0;
	char text[256];
	va_list args;
	int n;

	n = scnprintf(text, sizeof(text), "[%5llu.%06llu] ", us / 1000000,
		      us % 1000000);
	va_start(args, fmt);
	n += vscnprintf(text + n, sizeof(text) - n, fmt, args);
	va_end(args);

	while (__atomic_exchange_n(&console_lock, 1, __ATOMIC_ACQUIRE) &&
	       ++tries < LOCK_PATIENCE)
		cpu_relax();
	serial_write(SERIAL_CONSOLE, text, n);
	__atomic_store_n(&console_lock, 0, __ATOMIC_RELEASE);
}

void panic(const char *fmt, ...)
{
	char text[200];
	va_list args;

	va_start(args, fmt);
	vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	kprintf("BUG: kernel panic: %s\n", text);
	machine_end();
}

void machine_end(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __packed no_idt;

	/* The reset register, the keyboard controller, a triple fault. */
	outb(0xcf9, 0x06);
	outb(0x64, 0xfe);
	asm volatile("lidt %0; int3" :: "m" (no_idt));
	for (;;)
		asm volatile("cli; hlt");
}
