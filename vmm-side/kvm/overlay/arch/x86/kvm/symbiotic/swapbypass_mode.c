// SPDX-License-Identifier: GPL-2.0
/*
 * SwapBypass: whether it is used. The module parameter "swapbypass" for new VMs,
 * the file "bypass_mode" in debugfs for those that there are, and the adaptive
 * mode, in which the guest's faults decide.
 */
#include <linux/debugfs.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "swapbypass.h"
#include "symbiotic.h"

/*
 * Adaptive mode: a guest that takes this many faults on its swap device in one
 * window thrashes; one that takes none for the quiet time does not any more.
 * Switching off stops new mappings. Those that exist stay until the guest drops
 * them: removing them would start the thrashing that is over.
 */
#define SWAPBYPASS_WINDOW	(HZ / 10)
#define SWAPBYPASS_THRASH	32
#define SWAPBYPASS_QUIET	(10 * HZ)

enum swapbypass_mode {
	SWAPBYPASS_OFF,
	SWAPBYPASS_ALWAYS,
	SWAPBYPASS_ADAPTIVE,
};

static const char * const swapbypass_mode_names[] = {
	[SWAPBYPASS_OFF]	= "off",
	[SWAPBYPASS_ALWAYS]	= "always",
	[SWAPBYPASS_ADAPTIVE]	= "adaptive",
};

static int swapbypass_default_mode = SWAPBYPASS_ADAPTIVE;

static int swapbypass_param_set(const char *val, const struct kernel_param *kp)
{
	int mode = sysfs_match_string(swapbypass_mode_names, val);

	if (mode < 0)
		return mode;
	WRITE_ONCE(*(int *)kp->arg, mode);
	return 0;
}

static int swapbypass_param_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n",
			  swapbypass_mode_names[READ_ONCE(*(int *)kp->arg)]);
}

static const struct kernel_param_ops swapbypass_param_ops = {
	.set = swapbypass_param_set,
	.get = swapbypass_param_get,
};

module_param_cb(swapbypass, &swapbypass_param_ops, &swapbypass_default_mode, 0644);
MODULE_PARM_DESC(swapbypass, "SwapBypass mode of new VMs: off, always or adaptive (default)");

/**
 * kvm_swapbypass_init_mode - of a new VM
 * @swap: the VM's state
 */
void kvm_swapbypass_init_mode(struct kvm_swapbypass *swap)
{
	spin_lock_init(&swap->lock);
	swap->window_start = jiffies;
	swap->mode = READ_ONCE(swapbypass_default_mode);
}

/**
 * kvm_swapbypass_enabled - whether the guest is asked about a fault
 * @swap: the VM's state, in which the fault is counted
 */
bool kvm_swapbypass_enabled(struct kvm_swapbypass *swap)
{
	bool on;

	switch (READ_ONCE(swap->mode)) {
	case SWAPBYPASS_ALWAYS:
		return true;
	case SWAPBYPASS_ADAPTIVE:
		break;
	default:
		return false;
	}

	spin_lock(&swap->lock);
	if (time_after(jiffies, swap->window_start + SWAPBYPASS_QUIET))
		swap->thrashing = false;
	if (time_after(jiffies, swap->window_start + SWAPBYPASS_WINDOW)) {
		swap->window_start = jiffies;
		swap->window_faults = 0;
	}
	if (++swap->window_faults >= SWAPBYPASS_THRASH)
		swap->thrashing = true;
	on = swap->thrashing;
	spin_unlock(&swap->lock);
	return on;
}

/* ---- debugfs: bypass_mode ----------------------------------------------- */

/* NULL, or there as long as the VM is: it is made symbiotic once. */
static struct kvm_swapbypass *swapbypass_find(struct kvm *kvm)
{
	struct kvm_swapbypass *swap;

	mutex_lock(&kvm->lock);
	swap = kvm_swapbypass(kvm);
	mutex_unlock(&kvm->lock);
	return swap;
}

static int swapbypass_mode_show(struct seq_file *m, void *v)
{
	struct kvm *kvm = m->private;
	struct kvm_swapbypass *swap = swapbypass_find(kvm);
	int mode;

	if (!swap) {
		seq_puts(m, "none\n");
		return 0;
	}

	mode = READ_ONCE(swap->mode);
	seq_puts(m, swapbypass_mode_names[mode]);
	if (mode == SWAPBYPASS_ADAPTIVE) {
		spin_lock(&swap->lock);
		seq_puts(m, swap->thrashing &&
			 time_before_eq(jiffies, swap->window_start + SWAPBYPASS_QUIET) ?
			 " (on)" : " (off)");
		spin_unlock(&swap->lock);
	}
	seq_putc(m, '\n');
	return 0;
}

static int swapbypass_mode_open(struct inode *inode, struct file *file)
{
	return kvm_symbiotic_open_debugfs(inode, file, swapbypass_mode_show);
}

static ssize_t swapbypass_mode_write(struct file *file, const char __user *ubuf,
				     size_t len, loff_t *pos)
{
	struct kvm *kvm = ((struct seq_file *)file->private_data)->private;
	struct kvm_swapbypass *swap = swapbypass_find(kvm);
	char buf[16] = {};
	int mode, r = 0;

	if (!swap)
		return -EOPNOTSUPP;
	if (!len || len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;

	mode = sysfs_match_string(swapbypass_mode_names, buf);
	if (mode < 0)
		return mode;

	WRITE_ONCE(swap->mode, mode);
	if (mode == SWAPBYPASS_OFF)
		r = kvm_swapbypass_drop_all(kvm, swap);
	return r ?: len;
}

static const struct file_operations swapbypass_mode_fops = {
	.owner		= THIS_MODULE,
	.open		= swapbypass_mode_open,
	.read		= seq_read,
	.write		= swapbypass_mode_write,
	.llseek		= seq_lseek,
	.release	= kvm_symbiotic_release_debugfs,
};

/**
 * kvm_swapbypass_create_debugfs - create the VM's bypass_mode file
 * @kvm: the VM
 */
void kvm_swapbypass_create_debugfs(struct kvm *kvm)
{
	debugfs_create_file("bypass_mode", 0644, kvm->debugfs_dentry, kvm,
			    &swapbypass_mode_fops);
}
