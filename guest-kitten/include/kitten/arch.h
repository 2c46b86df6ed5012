/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine around the processors: ports, APIC, clock, tables, buses.
 */
#ifndef KITTEN_ARCH_H
#define KITTEN_ARCH_H

#include <kitten/types.h>

struct regs;

/* ---- serial.c: what each of the four ports is for ---- */

enum serial_port {
	SERIAL_CONSOLE,		/* the kernel's messages */
	SERIAL_OUT,		/* tasks' standard output */
	SERIAL_ERR,		/* tasks' standard error */
	SERIAL_CTL,		/* conversation with who started the machine */
	NR_SERIAL
};

void serial_init(void);
bool serial_present(enum serial_port port);

/**
 * serial_write() - send bytes; without the port, to the console
 * @port: which
 * @text: what
 * @n: how many bytes
 */
void serial_write(enum serial_port port, const char *text, size_t n);

/* A line without its newline; waits for it. Returns its length. */
size_t serial_read_line(enum serial_port port, char *line, size_t size);

/* ---- apic.c ---- */

void apic_init(void);
void apic_cpu_init(void);
u32 apic_id(void);
void apic_eoi(void);
void apic_send_ipi(u32 apic_id, u8 vector);
void apic_start_ap(u32 apic_id);

/**
 * apic_timer_at() - one interrupt at a moment, in place of the one before
 * @when: nanoseconds of clock_ns(), or 0 for no interrupt
 */
void apic_timer_at(u64 when);

/* ---- clock.c ---- */

void clock_init(void);
u64 clock_ns(void);
u64 clock_tsc_khz(void);
void clock_delay_us(u64 us);

/* ---- acpi.c ---- */

/**
 * acpi_find_cpus() - local APIC numbers of all usable processors
 * @rsdp: where the boot loader says that the tables start, or 0
 * @ids: filled in
 * @max: room there
 *
 * Return: how many.
 */
u32 acpi_find_cpus(u64 rsdp, u32 *ids, u32 max);

/* ---- pci.c ---- */

#define PCI_BARS	6

struct pci_device {
	u8 bus, slot, fn;
	u16 vendor, device;
	u32 class;
	u64 bar[PCI_BARS];	/* address, 0 if none or I/O ports */
	u64 bar_size[PCI_BARS];
};

void pci_init(void);
const struct pci_device *pci_find(u16 vendor, u16 device);
u32 pci_count(void);

/* Lets the device answer at its addresses and master the bus, or not. */
void pci_enable(const struct pci_device *dev);
void pci_disable(const struct pci_device *dev);

/* ---- trap.c ---- */

void idt_init(void);
void idt_load(void);
void trap(struct regs *regs);
void nmi_hook(bool (*handler)(void));
void show_regs(const struct regs *regs);

/* ---- the end ---- */

/* Resets the machine; with QEMU's -no-reboot that is its end. */
void machine_end(void) __noreturn;

#endif /* KITTEN_ARCH_H */
