#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The C compiler of all builds: gcc behind ccache in its depend mode, which
# saves the separate run of the preprocessor, a fifth of a build from scratch.
# In that mode ccache does not see `.incbin`, so files that have it, and
# assembler sources, are compiled without it.

for source; do :; done
case $source in
*.c)
	grep -qs incbin "$source" || CCACHE_DEPEND=1 exec ccache gcc "$@"
	;;
esac
exec gcc "$@"
