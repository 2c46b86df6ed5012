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

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	const char *s = "off";

	if (symbiotic_features())
		s = "on";
	else if (symb_state.found == -ENODEV)
		s = "absent";
	return sysfs_emit(buf, "%s\n", s);
}

static ssize_t version_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%u.%u\n", symb_state.vmm.major,
			  symb_state.vmm.minor);
}

static ssize_t show_features(char *buf, u32 f)
{
	return sysfs_emit(buf, "%s%s%s%s%s\n",
			  f & SYMB_FEAT_SYMSPY ? "symspy " : "",
			  f & SYMB_FEAT_SYMCALL ? "symcall " : "",
			  f & SYMB_FEAT_SWAPBYPASS ? "swapbypass " : "",
			  f & SYMB_FEAT_DMA_OFFSET ? "dma-offset " : "",
			  f & SYMB_FEAT_SWAP_GRANT ? "swap-grant " : "");
}

static ssize_t features_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return show_features(buf, symbiotic_features());
}

static ssize_t offered_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return show_features(buf, symb_state.vmm.offered);
}

static ssize_t cpuid_base_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%#x\n", symb_state.vmm.hv_base);
}

static ssize_t global_page_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	struct symspy_page *page = &symb_state.global;

	return sysfs_emit(buf, "%#llx\n",
			  READ_ONCE(page->live) ? page->gpa : 0);
}

static ssize_t global_flags_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	struct symspy_global *g = symspy_global_page();

	return sysfs_emit(buf, "%#x\n", g ? READ_ONCE(g->flags) : 0);
}

static ssize_t host_word_show(struct kobject *kobj,
			      struct kobj_attribute *attr, char *buf)
{
	struct symspy_global *g = symspy_global_page();

	if (!g || !symb_state.global.ext)
		return -ENODEV;
	return sysfs_emit(buf, "%#llx\n", READ_ONCE(g->host_word));
}

static ssize_t guest_word_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	struct symspy_global *g = symspy_global_page();

	if (!g || !symb_state.global.ext)
		return -ENODEV;
	return sysfs_emit(buf, "%#llx\n", READ_ONCE(g->guest_word));
}

static ssize_t guest_word_store(struct kobject *kobj,
				struct kobj_attribute *attr, const char *buf,
				size_t count)
{
	struct symspy_global *g = symspy_global_page();
	u64 val;
	int ret;

	if (!g || !symb_state.global.ext)
		return -ENODEV;
	ret = kstrtou64(buf, 0, &val);
	if (ret)
		return ret;
	WRITE_ONCE(g->guest_word, val);
	return count;
}

#ifdef CONFIG_SYMBIOTIC_DMA_OFFSET
static ssize_t dma_show(struct kobject *kobj, struct kobj_attribute *attr,
			char *buf)
{
	return symb_dma_show(buf);
}

/* Physical addresses of the host are for root's eyes. */
static struct kobj_attribute dma_attr = __ATTR_RO_MODE(dma, 0400);
#endif

static struct kobj_attribute state_attr = __ATTR_RO(state);
static struct kobj_attribute version_attr = __ATTR_RO(version);
static struct kobj_attribute features_attr = __ATTR_RO(features);
static struct kobj_attribute offered_attr = __ATTR_RO(offered);
static struct kobj_attribute cpuid_base_attr = __ATTR_RO(cpuid_base);
static struct kobj_attribute global_page_attr = __ATTR_RO(global_page);
static struct kobj_attribute global_flags_attr = __ATTR_RO(global_flags);
static struct kobj_attribute host_word_attr = __ATTR_RO(host_word);
static struct kobj_attribute guest_word_attr = __ATTR_RW(guest_word);

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

/* One directory per CPU. */
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

static ssize_t local_page_show(const struct symb_cpu *sc, char *buf)
{
	return sysfs_emit(buf, "%#llx\n",
			  READ_ONCE(sc->local.live) ? sc->local.gpa : 0);
}

static ssize_t vcpu_show(const struct symb_cpu *sc, char *buf)
{
	if (!READ_ONCE(sc->local.live))
		return -ENODEV;
	return sysfs_emit(buf, "%u\n", sc->local.vcpu);
}

static ssize_t flags_show(const struct symb_cpu *sc, char *buf)
{
	const struct symspy_local *l = sc->local.va;

	if (!READ_ONCE(sc->local.live))
		return -ENODEV;
	return sysfs_emit(buf, "%#x\n", READ_ONCE(l->flags));
}

static ssize_t symcall_show(const struct symb_cpu *sc, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(sc->enabled));
}

static ssize_t calls_show(const struct symb_cpu *sc, char *buf)
{
	return sysfs_emit(buf, "%lu\n", READ_ONCE(sc->calls));
}

static ssize_t errors_show(const struct symb_cpu *sc, char *buf)
{
	return sysfs_emit(buf, "%lu\n", READ_ONCE(sc->errors));
}

static ssize_t aborts_show(const struct symb_cpu *sc, char *buf)
{
	return sysfs_emit(buf, "%lu\n", READ_ONCE(sc->aborts));
}

static struct cpu_attr cpu_local_page_attr = __ATTR_RO(local_page);
static struct cpu_attr cpu_vcpu_attr = __ATTR_RO(vcpu);
static struct cpu_attr cpu_flags_attr = __ATTR_RO(flags);
static struct cpu_attr cpu_symcall_attr = __ATTR_RO(symcall);
static struct cpu_attr cpu_calls_attr = __ATTR_RO(calls);
static struct cpu_attr cpu_errors_attr = __ATTR_RO(errors);
static struct cpu_attr cpu_aborts_attr = __ATTR_RO(aborts);

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
