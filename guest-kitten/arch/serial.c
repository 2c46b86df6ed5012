// SPDX-License-Identifier: GPL-2.0
/*
 * Serial ports, polled. An interrupt for each character would be noise in the
 * computation of a task; and what fails early must still be able to say so.
 */
#include <kitten/arch.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>

#define DATA		0
#define INT_ENABLE	1
#define FIFO_CTL	2
#define LINE_CTL	3
#define MODEM_CTL	4
#define LINE_STATUS	5
#define SCRATCH		7

#define LSR_READY	0x01
#define LSR_EMPTY	0x20

#define FIFO_SIZE	16

static const u16 base[NR_SERIAL] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
static bool present[NR_SERIAL];

void serial_init(void)
{
	for (unsigned int i = 0; i < NR_SERIAL; i++) {
		/* Only a port that is there keeps what is written to it. */
		outb(base[i] + SCRATCH, 0x5a);
		if (inb(base[i] + SCRATCH) != 0x5a)
			continue;
		present[i] = true;
		outb(base[i] + INT_ENABLE, 0);
		/* 115200 baud, 8 bits, no parity. */
		outb(base[i] + LINE_CTL, 0x80);
		outb(base[i] + DATA, 1);
		outb(base[i] + INT_ENABLE, 0);
		outb(base[i] + LINE_CTL, 0x03);
		outb(base[i] + FIFO_CTL, 0x07);
		outb(base[i] + MODEM_CTL, 0x03);
	}
}

bool serial_present(enum serial_port port)
{
	return present[port];
}

/* One look at the status for as much as the FIFO takes: exits are slow. */
void serial_write(enum serial_port port, const char *text, size_t n)
{
	unsigned int room = 0;

	if (!present[port])
		port = SERIAL_CONSOLE;
	if (!present[port])
		return;
	for (; n; n--, text++, room--) {
		while (!room) {
			if (inb(base[port] + LINE_STATUS) & LSR_EMPTY)
				room = FIFO_SIZE;
		}
		outb(base[port] + DATA, *text);
	}
}

size_t serial_read_line(enum serial_port port, char *line, size_t size)
{
	size_t n = 0;
	char c;

	for (;;) {
		while (!(inb(base[port] + LINE_STATUS) & LSR_READY))
			cpu_relax();
		c = inb(base[port] + DATA);
		if (c == '\n')
			break;
		if (c != '\r' && n < size - 1)
			line[n++] = c;
	}
	line[n] = '\0';
	return n;
}
