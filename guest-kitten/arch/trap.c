// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts, exceptions and the way back to user mode.
 */
#include <kitten/arch.h>
#include <kitten/cpu.h>
#include <kitten/lib.h>
#include <kitten/mm.h>
#include <kitten/task.h>

#define VEC_DB		1
#define VEC_NMI		2
#define VEC_BREAKPOINT	3
#define VEC_PF		14

#define NR_STUBS	34
#define STUB_SIZE	16
#define GATE_INTERRUPT	0x8e00
#define GATE_USER	0x6000
#define RFLAGS_TF	0x100

#define PF_PRESENT	1

/* How far from the stack pointer an access to the stack may be. */
#define STACK_NEAR	65536ULL
#define STACK_FRAME	SZ_1G

struct extable_entry {
	u64 insn;
	u64 fixup;
};

extern char trap_stubs[], spurious_stub[];
extern const struct extable_entry extable_start[], extable_end[];

static struct {
	u64 low, high;
} idt[256];

static bool (*nmi_handler)(void);

static const u8 ist[NR_STUBS] = {
	[VEC_DB] = IST_DB, [VEC_NMI] = IST_NMI, [8] = IST_DF, [18] = IST_MC,
};

static const char * const names[] = {
	"divide error", "debug", "NMI", "breakpoint", "overflow",
	"bound range", "invalid opcode", "device not available",
	"double fault", "coprocessor", "invalid TSS", "segment not present",
	"stack fault", "general protection fault", "page fault", "reserved",
	"x87 error", "alignment check", "machine check", "SIMD error",
};

static const char *name(u64 vector)
{
	return vector < ARRAY_SIZE(names) ? names[vector] : "exception";
}

static void set_gate(unsigned int vector, u64 handler, unsigned int ist,
		     u64 flags)
{
	idt[vector].low = (handler & 0xffff) | (u64)SEL_KERNEL_CS << 16 |
			  (u64)ist << 32 | (GATE_INTERRUPT | flags) << 32 |
			  (handler >> 16 & 0xffff) << 48;
	idt[vector].high = handler >> 32;
}

void idt_init(void)
{
	for (unsigned int i = 0; i < NR_STUBS; i++)
		set_gate(i, (u64)trap_stubs + i * STUB_SIZE, ist[i],
			 i == VEC_BREAKPOINT ? GATE_USER : 0);
	set_gate(VEC_SPURIOUS, (u64)spurious_stub, 0, 0);
}

void idt_load(void)
{
	const struct {
		u16 limit;
		u64 base;
	} __packed pointer = { sizeof(idt) - 1, (u64)idt };

	asm volatile("lidt %0" :: "m" (pointer));
}

/* The one user of NMIs is told about them; others are reported. */
void nmi_hook(bool (*handler)(void))
{
	nmi_handler = handler;
}

void show_regs(const struct regs *r)
{
	kprintf("  rip %016llx cs %02llx rflags %llx rsp %016llx ss %02llx\n",
		r->rip, r->cs, r->rflags, r->rsp, r->ss);
	kprintf("  rax %016llx rbx %016llx rcx %016llx rdx %016llx\n",
		r->rax, r->rbx, r->rcx, r->rdx);
	kprintf("  rsi %016llx rdi %016llx rbp %016llx r8  %016llx\n",
		r->rsi, r->rdi, r->rbp, r->r8);
	kprintf("  r9  %016llx r10 %016llx r11 %016llx r12 %016llx\n",
		r->r9, r->r10, r->r11, r->r12);
	kprintf("  r13 %016llx r14 %016llx r15 %016llx\n",
		r->r13, r->r14, r->r15);
	kprintf("  cr2 %016llx cr3 %016llx error %llx CPU %u\n",
		read_cr2(), read_cr3(), r->error, this_cpu()->id);
}

static bool fix_up(struct regs *r)
{
	const struct extable_entry *e;

	for (e = extable_start; e < extable_end; e++) {
		if (e->insn == r->rip) {
			r->rip = e->fixup;
			return true;
		}
	}
	return false;
}

/* On an interrupt stack no thread can be switched: handled and over. */
static bool own_stack(u64 vector)
{
	return vector < NR_STUBS && ist[vector];
}

static void kernel_trap(struct regs *r)
{
	if (r->vector == VEC_DB) {
		/* Nobody debugs here: a task that sets TF goes on without. */
		r->rflags &= ~(u64)RFLAGS_TF;
		return;
	}
	if (r->vector == VEC_NMI) {
		if (!nmi_handler || !nmi_handler())
			kprintf("NMI for no known reason\n");
		return;
	}
	if (fix_up(r))
		return;
	kprintf("BUG: %s in the kernel\n", name(r->vector));
	show_regs(r);
	panic("%s", name(r->vector));
}

/*
 * Nothing is there, and the stack pointer is near. Or it is below the first
 * thread's stack already: a function may have a large frame, and may begin at
 * its other end.
 */
static bool stack_overflow(const struct task *task, const struct regs *r,
			   u64 address)
{
	if (r->vector != VEC_PF || r->error & PF_PRESENT ||
	    address + STACK_NEAR < r->rsp)
		return false;
	return address < r->rsp + STACK_NEAR ||
	       (address < task->stack && r->rsp + STACK_FRAME > task->stack);
}

static void user_trap(struct regs *r)
{
	struct task *task = this_cpu()->current->task;
	u64 address = r->vector == VEC_PF ? read_cr2() : 0;

	kprintf("task %u (%s): %s at %#llx, address %#llx, error %#llx%s\n",
		task->id, task->name, name(r->vector), r->rip, address,
		r->error, stack_overflow(task, r, address) ?
		": stack overflow, see `ulimit -s`" : "");
	task_exit(task, 128 + (r->vector == VEC_PF ? 11 : 4));
}

/* An interrupt may come from user mode or from the idle loop, never else. */
static void interrupt(struct regs *r)
{
	struct cpu *cpu = this_cpu();

	cpu->irqs++;
	if (r->vector == VEC_IPI)
		cpu_flush_if_asked(cpu);
	/* One that had to wait in a long call is not for who runs now. */
	if (r->vector == VEC_TIMER && cpu->timer_at > clock_ns())
		apic_timer_at(cpu->timer_at);
	else
		cpu->need_resched = true;
	apic_eoi();
	/* See cpu_sleep(). */
	if (r->rip == (u64)cpu_sleep_hlt)
		r->rip = (u64)cpu_sleep_end;
}

/**
 * trap() - the C side of every entry
 * @regs: the interrupted context
 */
void trap(struct regs *regs)
{
	u64 v = regs->vector;

	/* User mode may have left AC set. */
	if (cpu_has.smap)
		asm volatile("clac" ::: "memory");

	if (v == VEC_TIMER || v == VEC_IPI)
		interrupt(regs);
	else if (own_stack(v) || !(regs->cs & 3))
		kernel_trap(regs);

	/* The idle loop looks for work by itself. */
	if (own_stack(v) || !(regs->cs & 3))
		return;

	klock();
	if (v == VEC_SYSCALL)
		syscall(regs);
	else if (v < 32)
		user_trap(regs);
	return_to_user();
}
