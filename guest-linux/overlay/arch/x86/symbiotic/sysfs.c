// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/symbiotic: what guest and VMM have agreed on.
 */
#define pr_fmt(fmt) "symbiotic: " fmt

#include <linux/cpu.h>
#include <linux/init.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "dma.h"
#include "symbiotic.h"

struct kobject *symbiotic_kobj;

/* ---- the VM ---------------------------------------------------------- */

/* A file of one line, with a show function of its own. */
#define VM_FILE(name, fmt, ...)						\
static ssize_t name##_show(struct kobject *kobj,			\
			   struct kobj_attribute *attr, char *buf)	\
{									\
	return sysfs_emit(buf, fmt "\n", __VA_ARGS__);			\
}									\
static struct kobj_attribute name##_attr = __ATTR_RO(name)

static const char *state_name(void)
{
	if (symbiotic_features())
		return "on";
	return symb_state.found == -ENODEV ? "absent" : "off";
}

VM_FILE(state, "%s", state_name());
VM_FILE(version, "%u.%u", symb_state.vmm.major, symb_state.vmm.minor);
VM_FILE(cpuid_base, "%#x", symb_state.vmm.hv_base);
VM_FILE(global_page, "%#llx",
	READ_ONCE(symb_state.global.live) ? symb_state.global.gpa : 0);

static ssize_t show_features(char *buf, u32 f)
{
	return sysfs_emit(buf, "%s%s%s%s%s%s\n",
			  f & SYMB_FEAT_SYMSPY ? "symspy " : "",
			  f & SYMB_FEAT_SYMCALL ? "symcall " : "",
			  f & SYMB_FEAT_SWAPBYPASS ? "swapbypass " : "",
			  f & SYMB_FEAT_DMA_OFFSET ? "dma-offset " : "",
			  f & SYMB_FEAT_SWAP_GRANT ? "swap-grant " : "",
			  f & SYMB_FEAT_MODULES ? "modules " : "");
}

static ssize_t features_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return show_features(buf, symbiotic_features());
}

static struct kobj_attribute features_attr = __ATTR_RO(features);

static ssize_t offered_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return show_features(buf, symb_state.vmm.offered);
}

static struct kobj_attribute offered_attr = __ATTR_RO(offered);

static ssize_t global_flags_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	struct symspy_global *g = symspy_global_page();

	return sysfs_emit(buf, "%#x\n", g ? READ_ONCE(g->flags) : 0);
}

static struct kobj_attribute global_flags_attr = __ATTR_RO(global_flags);

/* The global page if it has the part with the words. */
static struct symspy_global *page_with_words(void)
{
	struct symspy_global *g = symspy_global_page();

	return g && symb_state.global.ext ? g : NULL;
}

static ssize_t host_word_show(struct kobject *kobj,
			      struct kobj_attribute *attr, char *buf)
{
	struct symspy_global *g = page_with_words();

	return g ? sysfs_emit(buf, "%#llx\n", READ_ONCE(g->host_word)) : -ENODEV;
}

static struct kobj_attribute host_word_attr = __ATTR_RO(host_word);

static ssize_t guest_word_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	struct symspy_global *g = page_with_words();

	return g ? sysfs_emit(buf, "%#llx\n", READ_ONCE(g->guest_word)) : -ENODEV;
}

static ssize_t guest_word_store(struct kobject *kobj,
				struct kobj_attribute *attr, const char *buf,
				size_t count)
{
	struct symspy_global *g = page_with_words();
	u64 val;
	int ret;

	if (!g)
		return -ENODEV;
	ret = kstrtou64(buf, 0, &val);
	if (ret)
		return ret;
	WRITE_ONCE(g->guest_word, val);
	return count;
}

static struct kobj_attribute guest_word_attr = __ATTR_RW(guest_word);

#ifdef CONFIG_SYMBIOTIC_DMA_OFFSET
static ssize_t dma_show(struct kobject *kobj, struct kobj_attribute *attr,
			char *buf)
{
	return symb_dma_show(buf);
}

/* Physical addresses of the host are for root's eyes. */
static struct kobj_attribute dma_attr = __ATTR_RO_MODE(dma, 0400);
#endif

static struct attribute *symb_attrs[] = {
	&state_attr.attr,
	&version_attr.attr,
	&features_attr.attr,
	&offered_attr.attr,
	&cpuid_base_attr.attr,
	&global_page_attr.attr,
	&global_flags_attr.attr,
	&host_word_attr.attr,
	&guest_word_attr.attr,
#ifdef CONFIG_SYMBIOTIC_DMA_OFFSET
	&dma_attr.attr,
#endif
	NULL
};
ATTRIBUTE_GROUPS(symb);

/* ---- a directory per CPU --------------------------------------------- */

struct cpu_dir {
	struct kobject kobj;
	unsigned int cpu;
};

struct cpu_attr {
	struct attribute attr;
	ssize_t (*show)(const struct symb_cpu *sc, char *buf);
};

static ssize_t cpu_attr_show(struct kobject *kobj, struct attribute *attr,
			     char *buf)
{
	struct cpu_dir *dir = container_of(kobj, struct cpu_dir, kobj);
	struct cpu_attr *ca = container_of(attr, struct cpu_attr, attr);

	return ca->show(per_cpu_ptr(&symb_cpu, dir->cpu), buf);
}

/* As VM_FILE(); @sc is the CPU. */
#define CPU_FILE(name, fmt, ...)					\
static ssize_t name##_show(const struct symb_cpu *sc, char *buf)	\
{									\
	return sysfs_emit(buf, fmt "\n", __VA_ARGS__);			\
}									\
static struct cpu_attr cpu_##name##_attr = __ATTR_RO(name)

CPU_FILE(local_page, "%#llx", READ_ONCE(sc->local.live) ? sc->local.gpa : 0);
CPU_FILE(symcall, "%d", READ_ONCE(sc->enabled));
CPU_FILE(calls, "%lu", READ_ONCE(sc->calls));
CPU_FILE(errors, "%lu", READ_ONCE(sc->errors));
CPU_FILE(aborts, "%lu", READ_ONCE(sc->aborts));

static ssize_t vcpu_show(const struct symb_cpu *sc, char *buf)
{
	if (!READ_ONCE(sc->local.live))
		return -ENODEV;
	return sysfs_emit(buf, "%u\n", sc->local.vcpu);
}

static struct cpu_attr cpu_vcpu_attr = __ATTR_RO(vcpu);

static ssize_t flags_show(const struct symb_cpu *sc, char *buf)
{
	const struct symspy_local *l = sc->local.va;

	if (!READ_ONCE(sc->local.live))
		return -ENODEV;
	return sysfs_emit(buf, "%#x\n", READ_ONCE(l->flags));
}

static struct cpu_attr cpu_flags_attr = __ATTR_RO(flags);

static struct attribute *symb_cpu_attrs[] = {
	&cpu_local_page_attr.attr,
	&cpu_vcpu_attr.attr,
	&cpu_flags_attr.attr,
	&cpu_symcall_attr.attr,
	&cpu_calls_attr.attr,
	&cpu_errors_attr.attr,
	&cpu_aborts_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(symb_cpu);

static const struct sysfs_ops cpu_dir_ops = {
	.show = cpu_attr_show,
};

static void cpu_dir_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct cpu_dir, kobj));
}

static const struct kobj_type cpu_dir_type = {
	.release = cpu_dir_release,
	.sysfs_ops = &cpu_dir_ops,
	.default_groups = symb_cpu_groups,
};

static int __init add_cpu_dir(unsigned int cpu)
{
	struct cpu_dir *dir;
	int ret;

	dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	if (!dir)
		return -ENOMEM;
	dir->cpu = cpu;
	ret = kobject_init_and_add(&dir->kobj, &cpu_dir_type, symbiotic_kobj,
				   "cpu%u", cpu);
	if (ret)
		kobject_put(&dir->kobj);
	return ret;
}

/**
 * symb_sysfs_init() - create the directory
 *
 * Without it everything works; there is just less to see.
 *
 * Return: 0 or -errno.
 */
int __init symb_sysfs_init(void)
{
	unsigned int cpu;
	int ret;

	symbiotic_kobj = kobject_create_and_add("symbiotic", kernel_kobj);
	if (!symbiotic_kobj)
		return -ENOMEM;

	ret = sysfs_create_groups(symbiotic_kobj, symb_groups);
	if (ret)
		goto err_put;

	/* Where there is no VMM for us, one file that says so is enough. */
	if (symb_state.found)
		return 0;

	for_each_possible_cpu(cpu) {
		ret = add_cpu_dir(cpu);
		if (ret)
			return ret;
	}
	return 0;

err_put:
	kobject_put(symbiotic_kobj);
	symbiotic_kobj = NULL;
	return ret;
}
