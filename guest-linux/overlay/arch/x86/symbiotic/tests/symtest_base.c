// SPDX-License-Identifier: GPL-2.0
/*
 * A module that symtest.c needs.
 */
#include <linux/module.h>

int symtest_base_word(void);

int symtest_base_word(void)
{
	return 42;
}
EXPORT_SYMBOL_GPL(symtest_base_word);

MODULE_DESCRIPTION("Test module that another one needs");
MODULE_LICENSE("GPL");
