/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbiotic guest: modules that the VMM brings. What kernel/module does for
 * arch/x86/symbiotic.
 */
#ifndef _LINUX_SYMBIOTIC_MODULES_H
#define _LINUX_SYMBIOTIC_MODULES_H

/* The linker's, around the kernel's ELF notes. */
extern const void __start_notes;
extern const void __stop_notes;

const char *module_vermagic(void);
void module_kernel_build_id(unsigned char *id);
int module_load_from_vmm(void *image, unsigned long len, const char *args);
int module_unload_from_vmm(const char *name);

#endif /* _LINUX_SYMBIOTIC_MODULES_H */
