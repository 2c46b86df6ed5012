// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/symbiotic: drives tests and benchmarks from user space.
 *
 * hypercall  write "<n>": n null hypercalls on this CPU
 * symcall    write "<n> <nr> [<arg0> [<arg1> [irqsoff]]]": n symcalls to
 *            this CPU, in one hypercall
 *            Both: read "calls <n> ns <time> tsc <cycles> status <last RAX>"
 * context    write "<n>": n symcalls, and compare all registers before and
 *            after each
 *            read "calls <n> status <n> <register that differed, or 0>"
 * irqs_off   write "<ms>": this CPU spins with interrupts off
 * storm      write "<ms> <cpu>": this CPU sends NMIs and IPIs to that one
 *            read "nmis <n> ipis <n> during_symcall <n>"
 * spy        write "<n>": read and write both SymSpy pages n times
 *            read "calls <n> ns <time> tsc <cycles> status <sum>"
 * peek       write "<gpa>", read: the u64 there
 * paging     write "<word>": the VMM's word on paging, struct symspy_paging.state,
 *            as if it had written it; the guest has followed when this returns
 * spin_at    write "<n>": a symcall never goes on from there (symcall.c), 0: it does
 * control    write "discover", "start", "stop"; or "anew": stop, discover, start, with
 *            what the VMM says now; fails if that fails
 */
#define pr_fmt(fmt) "symbiotic: " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/nmi.h>
#include <linux/objtool.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include <asm/apic.h>
#include <asm/debugreg.h>
#include <asm/nmi.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>
#include <asm/tsc.h>

#include "paging.h"
#include "symbiotic.h"

/* One test at a time. */
static DEFINE_MUTEX(test_lock);

struct timing {
	u64 calls;
	u64 ns;
	u64 tsc;
	long status;
};

static struct timing hypercall_timing, symcall_timing, spy_timing;

static void timing_begin(struct timing *t)
{
	t->ns = ktime_get_ns();
	t->tsc = rdtsc_ordered();
}

static void timing_end(struct timing *t)
{
	t->tsc = rdtsc_ordered() - t->tsc;
	t->ns = ktime_get_ns() - t->ns;
}

static int timing_show(struct seq_file *m, struct timing *t)
{
	seq_printf(m, "calls %llu ns %llu tsc %llu status %ld\n",
		   t->calls, t->ns, t->tsc, t->status);
	return 0;
}

/* Copies a short command from user space, NUL terminated. */
static int get_cmd(char *cmd, size_t size, const char __user *buf, size_t count)
{
	if (count >= size)
		return -EINVAL;
	if (copy_from_user(cmd, buf, count))
		return -EFAULT;
	cmd[count] = '\0';
	return 0;
}

/* ---- hypercall ------------------------------------------------------- */

static int hypercall_show(struct seq_file *m, void *unused)
{
	return timing_show(m, &hypercall_timing);
}

static ssize_t hypercall_write(struct file *file, const char __user *buf,
			       size_t count, loff_t *ppos)
{
	struct timing *t = &hypercall_timing;
	u64 n, i;
	int ret;

	ret = kstrtou64_from_user(buf, count, 0, &n);
	if (ret)
		return ret;
	if (!symbiotic_features())
		return -ENODEV;

	mutex_lock(&test_lock);
	preempt_disable();
	t->calls = n;
	t->status = 0;
	timing_begin(t);
	for (i = 0; i < n; i++)
		t->status |= symb_hypercall4(SYMB_HC_NULL, 0, 0, 0, 0);
	timing_end(t);
	preempt_enable();
	mutex_unlock(&test_lock);
	return count;
}

/* ---- symcall --------------------------------------------------------- */

static int symcall_show(struct seq_file *m, void *unused)
{
	return timing_show(m, &symcall_timing);
}

static ssize_t symcall_write(struct file *file, const char __user *buf,
			     size_t count, loff_t *ppos)
{
	struct timing *t = &symcall_timing;
	u64 n, nr = SYMCALL_NULL, arg0 = 0, arg1 = 0;
	char cmd[96], how[16] = "";
	unsigned long flags;
	int ret;

	ret = get_cmd(cmd, sizeof(cmd), buf, count);
	if (ret)
		return ret;
	if (sscanf(cmd, "%lli %lli %lli %lli %15s", &n, &nr, &arg0, &arg1,
		   how) < 1)
		return -EINVAL;
	if (!symbiotic_has(SYMB_FEAT_SYMCALL))
		return -ENODEV;

	mutex_lock(&test_lock);
	preempt_disable();
	if (!strcmp(how, "irqsoff"))
		local_irq_save(flags);
	t->calls = n;
	timing_begin(t);
	t->status = symb_hypercall4(SYMB_HC_SYMCALL_LOOP, n, nr, arg0, arg1);
	timing_end(t);
	if (!strcmp(how, "irqsoff"))
		local_irq_restore(flags);
	preempt_enable();
	mutex_unlock(&test_lock);
	return count;
}

/* ---- context --------------------------------------------------------- */

static u64 context_calls;
static long context_status;
static const char *context_bad = "0";

/*
 * One symcall with known values in all registers that the hypercall does not
 * use, and with odd flags. Returns the status, or a number from 1000 on that
 * tells which register has changed.
 */
static noinline long call_between_patterns(void)
{
	unsigned long flags;
	long ret;

	asm volatile("push %%rbp\n\t"
		     "pushf\n\t"
		     "orq %[odd], (%%rsp)\n\t"
		     "mov $0x05050505, %%ebp\n\t"
		     "mov $0x07070707, %%edi\n\t"
		     "mov $0x08080808, %%r8d\n\t"
		     "mov $0x09090909, %%r9d\n\t"
		     "mov $0x10101010, %%r10d\n\t"
		     "mov $0x11111111, %%r11d\n\t"
		     "mov $0x12121212, %%r12d\n\t"
		     "mov $0x13131313, %%r13d\n\t"
		     "mov $0x14141414, %%r14d\n\t"
		     "mov $0x15151515, %%r15d\n\t"
		     "popf\n\t"
		     "std\n\t"
		     ALTERNATIVE("vmcall", "vmmcall", X86_FEATURE_VMMCALL)
		     "\n\t"
		     "pushf\n\t"
		     "cld\n\t"
		     "test %%rax, %%rax\n\t"
		     "jnz 1f\n\t"
		     "mov $1005, %%eax\n\t"
		     "cmp $0x05050505, %%rbp\n\t"
		     "jne 1f\n\t"
		     "mov $1007, %%eax\n\t"
		     "cmp $0x07070707, %%rdi\n\t"
		     "jne 1f\n\t"
		     "mov $1008, %%eax\n\t"
		     "cmp $0x08080808, %%r8\n\t"
		     "jne 1f\n\t"
		     "mov $1009, %%eax\n\t"
		     "cmp $0x09090909, %%r9\n\t"
		     "jne 1f\n\t"
		     "mov $1010, %%eax\n\t"
		     "cmp $0x10101010, %%r10\n\t"
		     "jne 1f\n\t"
		     "mov $1011, %%eax\n\t"
		     "cmp $0x11111111, %%r11\n\t"
		     "jne 1f\n\t"
		     "mov $1012, %%eax\n\t"
		     "cmp $0x12121212, %%r12\n\t"
		     "jne 1f\n\t"
		     "mov $1013, %%eax\n\t"
		     "cmp $0x13131313, %%r13\n\t"
		     "jne 1f\n\t"
		     "mov $1014, %%eax\n\t"
		     "cmp $0x14141414, %%r14\n\t"
		     "jne 1f\n\t"
		     "mov $1015, %%eax\n\t"
		     "cmp $0x15151515, %%r15\n\t"
		     "jne 1f\n\t"
		     "mov $1001, %%eax\n\t"
		     "cmp $1, %%rbx\n\t"
		     "jne 1f\n\t"
		     "mov $1002, %%eax\n\t"
		     "cmp %[nr], %%rcx\n\t"
		     "jne 1f\n\t"
		     "mov $1003, %%eax\n\t"
		     "cmp %[sub], %%rdx\n\t"
		     "jne 1f\n\t"
		     "mov $1006, %%eax\n\t"
		     "cmp $0x06060606, %%rsi\n\t"
		     "jne 1f\n\t"
		     "xor %%eax, %%eax\n"
		     "1:\n\t"
		     "pop %%rdi\n\t"
		     "pop %%rbp\n\t"
		     "pushf\n\t"
		     "andq %[even], (%%rsp)\n\t"
		     "popf\n\t"
		     : "=a" (ret), "=D" (flags)
		     : "a" (SYMB_HC_SYMCALL_LOOP), "b" (1UL),
		       "c" ((unsigned long)SYMCALL_SELFTEST),
		       "d" ((unsigned long)SYMCALL_SELFTEST_STATE),
		       "S" (0x06060606UL), [nr] "i" (SYMCALL_SELFTEST),
		       [sub] "i" (SYMCALL_SELFTEST_STATE),
		       [odd] "i" (X86_EFLAGS_AC), [even] "i" (~X86_EFLAGS_AC)
		     : "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		       "cc", "memory");

	if (!ret && (flags & (X86_EFLAGS_DF | X86_EFLAGS_AC | X86_EFLAGS_IF)) !=
		    (X86_EFLAGS_DF | X86_EFLAGS_AC))
		return 1016;
	return ret;
}

/* RBP has a pattern as well. */
STACK_FRAME_NON_STANDARD_FP(call_between_patterns);

static const char *context_test(void)
{
	unsigned long cr2 = read_cr2(), cr3 = __read_cr3(), cr2_now, dr7;
	u64 fs, gs, kgs, val;
	const char *bad = NULL;

	rdmsrl(MSR_FS_BASE, fs);
	rdmsrl(MSR_GS_BASE, gs);
	rdmsrl(MSR_KERNEL_GS_BASE, kgs);
	wrmsrl(MSR_FS_BASE, 0x534000);
	write_cr2(0x535000);
	/*
	 * The call looks whether DR7 is clear. An address that is not executed:
	 * QEMU's emulation of VMRUN (7.2) changes DR7, but forgets to take the
	 * breakpoints away, so a real one would fire.
	 */
	set_debugreg((unsigned long)&context_calls, 0);
	set_debugreg(0x402UL, 7);

	context_status = call_between_patterns();

	get_debugreg(dr7, 7);
	set_debugreg(0UL, 7);
	set_debugreg(0UL, 0);
	cr2_now = read_cr2();
	write_cr2(cr2);

	if (context_status)
		bad = "status or GPR";
	if ((dr7 & ~0x400UL) != 2)
		bad = "DR7";
	if (cr2_now != 0x535000)
		bad = "CR2";
	if (__read_cr3() != cr3)
		bad = "CR3";
	rdmsrl(MSR_FS_BASE, val);
	if (val != 0x534000)
		bad = "FS";
	wrmsrl(MSR_FS_BASE, fs);
	rdmsrl(MSR_GS_BASE, val);
	if (val != gs)
		bad = "GS";
	rdmsrl(MSR_KERNEL_GS_BASE, val);
	if (val != kgs)
		bad = "KERNEL_GS";
	return bad;
}

static int context_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "calls %llu status %ld %s\n", context_calls,
		   context_status, context_bad);
	return 0;
}

static ssize_t context_write(struct file *file, const char __user *buf,
			     size_t count, loff_t *ppos)
{
	const char *bad = NULL;
	unsigned long flags;
	u64 n, i;
	int ret;

	ret = kstrtou64_from_user(buf, count, 0, &n);
	if (ret)
		return ret;
	if (!symbiotic_has(SYMB_FEAT_SYMCALL))
		return -ENODEV;

	mutex_lock(&test_lock);
	for (i = 0; i < n && !bad; i++) {
		local_irq_save(flags);
		bad = context_test();
		local_irq_restore(flags);
	}
	context_calls = i;
	context_bad = bad ?: "0";
	mutex_unlock(&test_lock);
	return count;
}

/* ---- irqs_off -------------------------------------------------------- */

static ssize_t irqs_off_write(struct file *file, const char __user *buf,
			      size_t count, loff_t *ppos)
{
	unsigned long flags;
	u64 ms;
	int ret;

	ret = kstrtou64_from_user(buf, count, 0, &ms);
	if (ret)
		return ret;

	local_irq_save(flags);
	while (ms--) {
		mdelay(1);
		touch_nmi_watchdog();
	}
	local_irq_restore(flags);
	return count;
}

/* ---- storm ----------------------------------------------------------- */

static atomic_t storm_nmis, storm_ipis, storm_bad;

static void storm_check(void)
{
	if (this_cpu_read(symb_cpu.active))
		atomic_inc(&storm_bad);
}

static int storm_nmi(unsigned int cmd, struct pt_regs *regs)
{
	storm_check();
	atomic_inc(&storm_nmis);
	/* Several may have melted into one, so all of them are ours. */
	return NMI_HANDLED;
}

static void storm_ipi(void *unused)
{
	storm_check();
	atomic_inc(&storm_ipis);
}

static int storm_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "nmis %d ipis %d during_symcall %d\n",
		   atomic_read(&storm_nmis), atomic_read(&storm_ipis),
		   atomic_read(&storm_bad));
	return 0;
}

static ssize_t storm_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *ppos)
{
	unsigned int ms, cpu;
	char cmd[32];
	ktime_t end;
	int ret;

	ret = get_cmd(cmd, sizeof(cmd), buf, count);
	if (ret)
		return ret;
	if (sscanf(cmd, "%u %u", &ms, &cpu) != 2 || !cpu_online(cpu))
		return -EINVAL;

	atomic_set(&storm_nmis, 0);
	atomic_set(&storm_ipis, 0);
	atomic_set(&storm_bad, 0);
	ret = register_nmi_handler(NMI_LOCAL, storm_nmi, 0, "symbiotic");
	if (ret)
		return ret;

	end = ktime_add_ms(ktime_get(), ms);
	while (ktime_before(ktime_get(), end)) {
		__apic_send_IPI(cpu, NMI_VECTOR);
		smp_call_function_single(cpu, storm_ipi, NULL, 1);
		cond_resched();
	}

	/* Let the last NMI arrive. */
	msleep(20);
	unregister_nmi_handler(NMI_LOCAL, "symbiotic");
	return count;
}

/* ---- spy ------------------------------------------------------------- */

static int spy_show(struct seq_file *m, void *unused)
{
	return timing_show(m, &spy_timing);
}

static ssize_t spy_write(struct file *file, const char __user *buf,
			 size_t count, loff_t *ppos)
{
	struct symspy_global *g = symspy_global_page();
	struct timing *t = &spy_timing;
	struct symspy_local *l;
	u64 n, i;
	int ret;

	ret = kstrtou64_from_user(buf, count, 0, &n);
	if (ret)
		return ret;

	mutex_lock(&test_lock);
	preempt_disable();
	l = symspy_this_cpu();
	if (!g || !l) {
		count = -ENODEV;
		goto out;
	}
	t->calls = n;
	t->status = 0;
	timing_begin(t);
	for (i = 0; i < n; i++) {
		WRITE_ONCE(g->guest_word, i);
		t->status += READ_ONCE(g->host_word);
		WRITE_ONCE(l->lookup_base, i);
		t->status += READ_ONCE(l->flags);
	}
	timing_end(t);
out:
	preempt_enable();
	mutex_unlock(&test_lock);
	return count;
}

/* ---- peek ------------------------------------------------------------ */

static u64 peek_val;

static int peek_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%#llx\n", peek_val);
	return 0;
}

static ssize_t peek_write(struct file *file, const char __user *buf,
			  size_t count, loff_t *ppos)
{
	u64 gpa, *p;
	void *va;
	int ret;

	ret = kstrtou64_from_user(buf, count, 0, &gpa);
	if (ret)
		return ret;
	va = memremap(gpa & PAGE_MASK, PAGE_SIZE, MEMREMAP_WB);
	if (!va)
		return -ENOMEM;
	p = va + (gpa & ~PAGE_MASK & ~7UL);
	peek_val = READ_ONCE(*p);
	memunmap(va);
	return count;
}

/* ---- paging ---------------------------------------------------------- */

static ssize_t paging_write(struct file *file, const char __user *buf,
			    size_t count, loff_t *ppos)
{
	u64 state;
	int ret;

	ret = kstrtou64_from_user(buf, count, 0, &state);
	if (ret)
		return ret;
	mutex_lock(&test_lock);
	ret = symb_paging_pretend(state);
	mutex_unlock(&test_lock);
	return ret ?: count;
}

/* ---- control --------------------------------------------------------- */

static ssize_t control_write(struct file *file, const char __user *buf,
			     size_t count, loff_t *ppos)
{
	struct symspy_vmm vmm;
	char cmd[16];
	int ret;

	ret = get_cmd(cmd, sizeof(cmd), buf, count);
	if (ret)
		return ret;

	mutex_lock(&test_lock);
	if (sysfs_streq(cmd, "discover")) {
		ret = symspy_discover(&vmm);
		if (!ret && memcmp(&vmm, &symb_state.vmm, sizeof(vmm)))
			ret = -ESTALE;
	} else if (sysfs_streq(cmd, "anew")) {
		symb_stop();
		symb_state.found = symspy_discover(&symb_state.vmm);
		ret = symb_start();
	} else if (sysfs_streq(cmd, "start")) {
		ret = symb_start();
	} else if (sysfs_streq(cmd, "stop")) {
		symb_stop();
	} else {
		ret = -EINVAL;
	}
	mutex_unlock(&test_lock);
	return ret ?: count;
}

/* ---------------------------------------------------------------------- */

static int show_nothing(struct seq_file *m, void *unused)
{
	return 0;
}

#define TEST_FILE(_name, _show)						\
static int _name ## _open(struct inode *inode, struct file *file)	\
{									\
	return single_open(file, _show, NULL);				\
}									\
									\
static const struct file_operations _name ## _fops = {			\
	.open		= _name ## _open,				\
	.read		= seq_read,					\
	.write		= _name ## _write,				\
	.llseek		= seq_lseek,					\
	.release	= single_release,				\
}

TEST_FILE(hypercall, hypercall_show);
TEST_FILE(symcall, symcall_show);
TEST_FILE(context, context_show);
TEST_FILE(irqs_off, show_nothing);
TEST_FILE(storm, storm_show);
TEST_FILE(spy, spy_show);
TEST_FILE(peek, peek_show);
TEST_FILE(paging, show_nothing);
TEST_FILE(control, show_nothing);

static int __init symb_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("symbiotic", NULL);

	debugfs_create_file("hypercall", 0600, dir, NULL, &hypercall_fops);
	debugfs_create_file("symcall", 0600, dir, NULL, &symcall_fops);
	debugfs_create_file("context", 0600, dir, NULL, &context_fops);
	debugfs_create_file("irqs_off", 0200, dir, NULL, &irqs_off_fops);
	debugfs_create_file("storm", 0600, dir, NULL, &storm_fops);
	debugfs_create_file("spy", 0600, dir, NULL, &spy_fops);
	debugfs_create_file("peek", 0600, dir, NULL, &peek_fops);
	debugfs_create_file("paging", 0200, dir, NULL, &paging_fops);
	debugfs_create_file("control", 0200, dir, NULL, &control_fops);
	debugfs_create_u32("spin_at", 0600, dir, &symb_spin_at);
	return 0;
}
late_initcall(symb_debugfs_init);
