# SPDX-License-Identifier: GPL-2.0
#
# How small programs are built, each from PROG.c. A Makefile that includes this sets
#
#   PROGS       their names, or TESTS: unit tests, which run here with sanitizers
#   SCRIPTS     shell scripts to install beside them
#   SRC         what each is linked with, SRC_prog what one of them is
#   INCLUDE     folders of headers below the top one
#   CFLAGS_MORE, LIBS, LIBS_prog
#   SANITIZE    what to look at while they run; if nothing, they are static
#
# OUT says where to, build/ and the name of the folder if it does not. `make check`
# runs the tests.

TOP	:= $(realpath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
OUT	?= $(CURDIR:$(TOP)/%=$(TOP)/build/%)

SANITIZE ?= $(if $(TESTS),address$(,)undefined)

CFLAGS	?= $(if $(SANITIZE),-O1,-O2)
override CFLAGS += -std=gnu11 -g -Wall -Wextra -Wno-missing-field-initializers -Werror \
	   $(CFLAGS_MORE) \
	   $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all,-static) \
	   $(INCLUDE:%=-I$(TOP)/%) -I.
,	:= ,
HEADERS	:= $(wildcard *.h $(INCLUDE:%=$(TOP)/%/*.h) $(INCLUDE:%=$(TOP)/%/*/*.h) \
	   $(INCLUDE:%=$(TOP)/%/*/*/*.h))

all: $(addprefix $(OUT)/,$(PROGS) $(TESTS) $(notdir $(SCRIPTS)))

.SECONDEXPANSION:
$(addprefix $(OUT)/,$(PROGS) $(TESTS)): $(OUT)/%: %.c $$(SRC) $$(SRC_$$*) $(HEADERS) $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	@printf '  %-7s %s\n' CC $(@F)
	@$(CC) $(CFLAGS) -o $@ $(filter %.c %.S,$^) $(LIBS) $(LIBS_$(@F))

vpath %.sh $(sort $(dir $(SCRIPTS)))
$(OUT)/%.sh: %.sh
	@mkdir -p $(@D)
	@install -m 755 $< $@

ifdef TESTS
check: all
	@for t in $(TESTS); do echo "== $$t"; $(OUT)/$$t || exit 1; done
endif

clean:
	rm -f $(addprefix $(OUT)/,$(PROGS) $(TESTS) $(notdir $(SCRIPTS)))

.PHONY: all check clean
