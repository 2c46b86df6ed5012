// SPDX-License-Identifier: GPL-2.0
/*
 * Modules that a symbiotic VMM brings: what init_module() and delete_module() do for a
 * process, for the kernel itself. When, and what of, is arch/x86/symbiotic/modules.c.
 *
 * What these two check, and where it is here:
 *
 *	CAP_SYS_MODULE, modules_disabled	the same
 *	security_kernel_load_data(), _post_	the same, with the same id
 *	not shorter than an ELF header		the same
 *	signature				stricter, see module_load_from_vmm()
 *	everything in load_module()		the same code
 *	finit_module()'s one load of a file	one load at a time, by the caller
 *	finit_module()'s decompression		the host has done that
 *	delete_module()'s flags			none: nothing is forced
 */
#define INCLUDE_VERMAGIC

#include <linux/buildid.h>
#include <linux/build_bug.h>
#include <linux/capability.h>
#include <linux/elf.h>
#include <linux/elfnote.h>
#include <linux/module.h>
#include <linux/security.h>
#include <linux/symbiotic_modules.h>
#include <linux/vermagic.h>
#include <linux/vmalloc.h>

#include "internal.h"

/**
 * module_vermagic() - what a module must say of itself to fit this kernel
 *
 * Context: any.
 */
const char *module_vermagic(void)
{
	return VERMAGIC_STRING;
}

/**
 * module_kernel_build_id() - the build ID of this kernel
 * @id: BUILD_ID_SIZE_MAX bytes; zeroes if there is none
 *
 * Context: any.
 */
void module_kernel_build_id(unsigned char *id)
{
	memset(id, 0, BUILD_ID_SIZE_MAX);
	build_id_parse_buf(&__start_notes, id, &__stop_notes - &__start_notes);
}

/**
 * module_load_from_vmm() - load a module from memory of the kernel
 * @image: the file, in memory of vmalloc() that nobody else can change; freed in any case
 * @len: its bytes
 * @args: parameters, as on a command line
 *
 * The signature must be there and good, by a key that was built into this kernel,
 * whatever module.sig_enforce and lockdown are.
 *
 * Context: a kernel thread; may sleep for as long as the module's init does.
 * Return: 0 or -errno, as init_module().
 */
int module_load_from_vmm(void *image, unsigned long len, const char *args)
{
	struct load_info info = {
		.hdr = image,
		.len = len,
		.vmm_args = args,
	};
	int err;

	/* Without it load_module() would check nothing. */
	BUILD_BUG_ON(!IS_ENABLED(CONFIG_MODULE_SIG));

	err = -EPERM;
	if (!capable(CAP_SYS_MODULE) || modules_disabled)
		goto err_free;
	err = -ENOEXEC;
	if (len < sizeof(*info.hdr))
		goto err_free;
	err = security_kernel_load_data(LOADING_MODULE, true);
	if (err)
		goto err_free;
	err = security_kernel_post_load_data(image, len, LOADING_MODULE,
					     "symbiotic");
	if (err)
		goto err_free;
	return load_module(&info, NULL, 0);

err_free:
	vfree(image);
	return err;
}

/**
 * module_unload_from_vmm() - unload a module
 * @name: of one that module_load_from_vmm() has loaded, which the caller knows
 *
 * Context: process.
 * Return: 0 or -errno, as delete_module(): nothing is forced.
 */
int module_unload_from_vmm(const char *name)
{
	if (!capable(CAP_SYS_MODULE) || modules_disabled)
		return -EPERM;
	return module_delete(name, 0);
}
