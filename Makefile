# SPDX-License-Identifier: GPL-2.0
#
# One target per job; `make help` lists them.
#
# build/src/*   source trees (pristine *-base and patched ones)
# build/*       objects and results, one directory per thing built
# build/log/*   the full output of each long step

include versions.mk

B		:= $(CURDIR)/build
RIG		:= vmm-side/rig
STEPS		:= $(RIG)/build
JOBS		?= $(shell nproc)
V		?= 0
export V JOBS
# Where Python finds the packages rig and e2e.
export PYTHONPATH := $(CURDIR)/vmm-side

# One build at a time per output: several people or jobs may share a tree.
LOCK		= mkdir -p $(B) && flock $(B)/$(1).lock
STEP		= $(STEPS)/progress.sh
say		= @printf '  %-7s %s\n' $(1) '$(2)'

.DEFAULT_GOAL	:= help
.DELETE_ON_ERROR:

# What is named at the start of a line in lower case is something to do, not a file.
.PHONY: $(shell sed -n '/^[a-z][a-z0-9 -]*:/s/:.*//p' Makefile)

help:				## this list
	@sed -n -e 's/^##@ *\(.*\)/\n\1/p' \
		-e 's/^\([a-z][a-z0-9-]*\):.*## */  \1\t/p' Makefile | expand -t 20
	@echo
	@echo "Options: V=1 full output, JOBS=n parallel jobs; make options: those of exec"

##@ Sources and packages

deps:				## install the Debian packages the project needs
	@$(STEPS)/deps.sh

$(B)/src/linux-base: | deps
	$(call say,FETCH,Linux from the package linux-source-$(LINUX))
	@mkdir -p $(B)/src
	@$(call LOCK,linux-base) $(STEP) linux-source $(B)/log/fetch-linux.log \
		sh -c '[ -e $@ ] || $(STEPS)/fetch.sh linux $@'

$(B)/src/qemu-base: | deps
	$(call say,FETCH,QEMU $(QEMU) from apt-get source qemu)
	@mkdir -p $(B)/src
	@$(call LOCK,qemu-base) $(STEP) qemu-source $(B)/log/fetch-qemu.log \
		sh -c '[ -e $@ ] || $(STEPS)/fetch.sh qemu $@'

# The version of everything that results depend on; printed and kept.
versions: $(B)/versions
$(B)/versions: | $(B)/src/linux-base $(B)/src/qemu-base
	@{ printf 'linux %s\n' "$$(make -s -C $(B)/src/linux-base kernelversion)"; \
	   printf 'linux-source %s\n' "$$(dpkg-query -W -f='$${Version}' linux-source-$(LINUX))"; \
	   printf 'qemu %s\n' "$$(cat $(B)/src/qemu-base/VERSION)"; \
	   printf 'qemu-l0 %s\n' "$$(dpkg-query -W -f='$${Version}' qemu-system-x86)"; \
	   printf 'gcc %s\n' "$$(gcc -dumpfullversion)"; } >$@
	@sed 's/^/  VERSION /' $@

# L1 runs the guest's kernel image as well, with the modules of the host's tree
# (docs/design.md), so that tree has all that the guest's has.
NEUTRAL		:= symspy symcall swapbypass dma-offset
HEADERS		:= $(foreach d,$(NEUTRAL),--copy '$(d)/include:include')
CORE		:= $(foreach d,$(NEUTRAL),--copy '$(d)/*.c:arch/x86/symbiotic/core')
APPLY_guest	:= --version $(LINUX) $(HEADERS) $(CORE) \
		   --copy guest-linux/overlay:. --patches guest-linux/patches/$(LINUX)
APPLY_host	:= $(APPLY_guest) --copy vmm-side/include:include/uapi \
		   --copy vmm-side/kvm/overlay:. --copy '$(RIG)/crutches/kvm-*.c:arch/x86/kvm' \
		   --patches vmm-side/kvm/patches/$(LINUX)
APPLY_qemu	:= --version $(QEMU) $(HEADERS) --copy vmm-side/include:linux-headers \
		   --copy vmm-side/qemu/overlay:. --patches vmm-side/qemu/patches/$(QEMU)

tree-guest tree-host: tree-%: | $(B)/src/linux-base $(B)/versions
	@$(call LOCK,linux-$*) $(STEPS)/apply.py --base $(B)/src/linux-base \
		--tree $(B)/src/linux-$* $(APPLY_$*)
tree-qemu: | $(B)/src/qemu-base
	@$(call LOCK,src-qemu) $(STEPS)/apply.py --base $(B)/src/qemu-base \
		--tree $(B)/src/qemu $(APPLY_qemu)

trees: tree-guest tree-host tree-qemu	## patched source trees in build/src

check-patches: | $(B)/src/linux-base $(B)/src/qemu-base	## dry run: do all patches apply?
	@$(STEPS)/apply.py --dry-run --base $(B)/src/linux-base --tree x $(APPLY_guest)
	@$(STEPS)/apply.py --dry-run --base $(B)/src/linux-base --tree x $(APPLY_host)
	@$(STEPS)/apply.py --dry-run --base $(B)/src/qemu-base --tree x $(APPLY_qemu)

##@ Build

# kernel NAME, TREE, FRAGMENTS, TARGETS
kernel		= @$(call LOCK,$(1)) $(STEP) $(1) $(B)/log/$(1).log \
		  $(STEPS)/kernel.sh $(B)/src/$(2) $(B)/$(1) '$(3)' $(4)

GCONF		:= guest-linux/config
HCONF		:= vmm-side/kvm/config

# What L1 needs is part of the configuration of both roles of the image.
CONFIG_base	:= $(GCONF)/guest.config $(HCONF)/host.config
CONFIG_guest	:= $(CONFIG_base) $(GCONF)/symbiotic.config
CONFIG_host	:= $(CONFIG_guest) $(HCONF)/symbiotic.config

# The modules are L1's, among them KVM as it is without the extension, and drivers of
# devices that guests may be given.
guest: tree-guest		## the symbiotic guest kernel, L1's too (build/guest)
	$(call say,KERNEL,guest)
	$(call kernel,guest,linux-guest,$(CONFIG_guest),vmlinux bzImage modules)

guest-base: | $(B)/src/linux-base $(B)/versions	## the same kernel without our changes, for comparison
	$(call say,KERNEL,guest-base)
	$(call kernel,guest-base,linux-base,$(CONFIG_base),vmlinux bzImage)

# Linux as it is with all that it has itself for memory that comes and goes.
stock: | $(B)/src/linux-base $(B)/versions	## a kernel for what symbiotic guests compete with
	$(call say,KERNEL,stock)
	$(call kernel,stock,linux-base,$(CONFIG_base) $(GCONF)/stock.config,vmlinux bzImage)

# Both from our tree, so that what the options add is the difference.
window-size: tree-guest		## what a swap window costs a small kernel: window.config, in bytes
	$(call say,KERNEL,small small-window)
	$(call kernel,small,linux-guest,$(GCONF)/small.config,vmlinux)
	$(call kernel,small-window,linux-guest,$(GCONF)/small.config $(GCONF)/window.config,vmlinux)
	@# Not vmlinux, whose text is filled up to 2 MiB.
	@size $(B)/small/vmlinux.o $(B)/small-window/vmlinux.o
	@echo 'of these, ours:'
	@size -t $(B)/small-window/drivers/block/symswap/*.o $(B)/small-window/mm/symswap/*.o

# The extension changes nothing outside KVM's own code, so the modules alone are
# built, for the kernel in build/guest. Without a vmlinux beside them modpost can
# only warn of symbols, which insmod checks.
KVM_MODULES	:= virt/lib/irqbypass.ko $(patsubst %,arch/x86/kvm/%.ko,kvm kvm-amd kvm-intel kvm-hold)
host: tree-host			## the extended KVM modules for L1 (build/host)
	$(call say,KERNEL,host)
	$(call kernel,host,linux-host,$(CONFIG_host),KBUILD_MODPOST_WARN=1 $(KVM_MODULES))

debug: tree-host		## both kernels in one, with KASAN and lockdep (build/debug)
	$(call say,KERNEL,debug)
	$(call kernel,debug,linux-host,$(CONFIG_host) $(GCONF)/debug.config,vmlinux modules)

qemu: tree-qemu			## QEMU with the symbiotic extension (build/qemu)
	$(call say,QEMU,build/qemu)
	@$(call LOCK,qemu) $(STEP) qemu $(B)/log/qemu.log $(STEPS)/qemu.sh $(B)/src/qemu $(B)/qemu

# Seconds; nothing of it needs the kernels above.
kitten: | deps			## the lightweight-kernel guest (build/kitten)
	@mkdir -p $(B)/log
	@$(call LOCK,kitten) $(MAKE) --no-print-directory -C guest-kitten O=$(B)/kitten

# The host tools go into L1. A directory with a Makefile builds itself.
tools: | deps			## host tools (build/tools)
	$(call say,TOOLS,build/tools)
	@mkdir -p $(B)/tools
	@for d in vmm-side/tools vmm-side/symbioticd vmm-side/rig/crutches; do \
		$(MAKE) --no-print-directory -s -C $$d OUT=$(B)/tools || exit; done

# Two at a time: one's configuring and linking leave a CPU idle.
all: | deps			## everything `make exec` needs
	@$(MAKE) --no-print-directory -j2 guest qemu host tools kitten

##@ Run

# Options of exec and shell (vmm-side/rig/guest.py) are variables of the command line or
# of the environment, all of which make passes on.

# What exec needs is built once; later changes are built by `make all`, so that
# exec itself starts at once.
READY_HOST	:= $(addprefix $(B)/,guest/vmlinux host/arch/x86/kvm/kvm.ko qemu/qemu-system-x86_64 \
		   tools/symcall)
READY		:= $(READY_HOST)
ifeq ($(KERNEL),kitten)
READY		:= $(B)/kitten/vmlinux $(if $(filter bare-metal,$(HOST)),,$(READY_HOST))
endif
$(sort $(READY) $(READY_HOST)):
	@$(MAKE) --no-print-directory $(firstword $(subst /, ,$(patsubst $(B)/%,%,$@)))
ready: | $(READY)
	@:

# Nothing is built for options that are wrong, also under -j. What building says goes
# to stderr: stdout is the guest's command's.
define GUEST
	@python3 -m rig $@ --check
	@$(MAKE) --no-print-directory ready >&2
	@python3 -m rig $@
endef

exec:				## CMD='...': run a command in the guest
	$(GUEST)

# On bare metal unless HOST says otherwise: that needs no other build.
run-kitten: export KERNEL = kitten
run-kitten: export HOST := $(or $(HOST),bare-metal)
run-kitten: export CMD = $(or $(KITTEN_CMD),$(KITTEN_RUN))
run-kitten: kitten | $(if $(filter-out bare-metal,$(HOST)),$(READY_HOST))	## boot the lightweight kernel and run STREAM and GUPS
	@python3 -m rig exec

define KITTEN_RUN
stream -m 64 -n 3
gups -m 16
endef

shell:				## an interactive guest, same options as exec
	$(GUEST)

options:			## the options of exec and shell, with their values
	@$(RIG)/exec help

##@ Test

test-files: all			## programs and scripts for the machines of the tests
	$(call say,TESTS,$(B)/tests/files)
	@$(call LOCK,test-files) $(STEP) test-files $(B)/log/test-files.log $(STEPS)/test-files.sh $(B)

# suites.py also ends all of a suite when it is interrupted.
unit: | deps			## host unit tests with sanitizers
	@vmm-side/e2e/suites.py unit='vmm-side/e2e/unit.sh $(B)'

record:				## write anew what becomes of guests (rig/tests/guests.txt)
	@$(RIG)/tests/test_job.py --record

# The corpora in git are where it begins, so a seed finds the same again. With OPERATIONS those
# that boot machines do a piece of a long run, SECONDS of it: build/fuzz/figures.csv knows what
# is done. FAULTS is a regular expression for which; they have 300 s each if nothing is said.
SECONDS		?= 60
SEED		?= 1
HOST_KERNEL	?= host
OPERATIONS	?= 0
FAULTS		?=
FAULT_SECONDS	= $(if $(filter file,$(origin SECONDS)),300,$(SECONDS))
fuzz-vmm: | deps		## liars and hostile files against the code, on the host; SECONDS=, SEED=
	@mkdir -p $(B)
	@vmm-side/e2e/suites.py fuzz-vmm='vmm-side/e2e/fuzz.sh $(B) $(SECONDS) $(SEED)'

fuzz-faults: | deps		## do the fuzzers find what they must? SECONDS= for each fault
	@mkdir -p $(B)
	@vmm-side/e2e/suites.py fuzz-faults='vmm-side/e2e/fuzz.sh $(B) $(SECONDS) $(SEED) faults'

# Beside it, for what is no neutral code: in guests.
fuzz-lies: test-files $(filter debug,$(KERNEL))	## a VMM that lies to a guest by CPUID, MSRs and pages; SECONDS=, SEED=, KERNEL=debug
	@vmm-side/e2e/suites.py fuzz-lies='symspy/tests/lies/fuzz_lies.py --seconds $(SECONDS) --seed $(SEED) \
		--kernel $(or $(KERNEL),guest)'

# What is found may be the host's end: that is another boot.
PAGING		?=
VCPUS		?= 4
FUZZ_KVM	= vmm-side/kvm/tests/fuzz-kvm/fuzz_kvm.py --seed $(SEED)
fuzz-kvm: test-files $(filter-out host,$(HOST_KERNEL))	## hostile guests and hosts against KVM; SECONDS=, SEED=, PAGING=, VCPUS=, HOST_KERNEL=, OPERATIONS=
	@vmm-side/e2e/suites.py fuzz-kvm$(PAGING:%=-%)='$(FUZZ_KVM) --seconds $(SECONDS) \
		--operations $(OPERATIONS) --paging "$(PAGING)" --vcpus $(VCPUS) \
		--host-kernel $(HOST_KERNEL)'

fuzz-kvm-faults: test-files debug	## does it find each rule of KVM's that is left out? FAULTS=regex, SECONDS= for each
	@vmm-side/e2e/suites.py fuzz-kvm-faults='$(FUZZ_KVM) --seconds $(FAULT_SECONDS) --faults "$(FAULTS)"'

FUZZ_MM		= swapbypass/tests/fuzz_mm/fuzz.py --seed $(SEED)
fuzz-mm: test-files $(filter debug,$(KERNEL))	## programs against the guest's swap; SECONDS=, SEED=, SWAP=, SMP=, LRU_GEN=on|off, KERNEL=debug, OPERATIONS=, BARE=1
	@vmm-side/e2e/suites.py fuzz-mm$(SWAP:%=-%)='$(FUZZ_MM) --seconds $(SECONDS) \
		--operations $(OPERATIONS) --swap $(or $(SWAP),in-place) --kernel $(or $(KERNEL),guest) \
		$(SMP:%=--smp %) $(LRU_GEN:%=--lru-gen %) $(if $(BARE),--bare)'

fuzz-mm-faults: test-files debug	## does it find what it must? FAULTS=regex, SECONDS= for each
	@vmm-side/e2e/suites.py fuzz-mm-faults='$(FUZZ_MM) --seconds $(FAULT_SECONDS) --faults "$(FAULTS)"'

# Minutes of building and running, for KVM's own code: not among all tests.
kvm-selftests: test-files	## the kernel's own tests of KVM, while the paging mode changes
	$(call say,TESTS,$(B)/selftests)
	@$(call LOCK,selftests) $(STEP) kvm-selftests $(B)/log/kvm-selftests.log \
		vmm-side/kvm/tests/selftests/build.sh $(B)
	@vmm-side/e2e/suites.py kvm-selftests='vmm-side/e2e/run.py --only kvm-selftests'

kunit: all			## KUnit suites in the guest: symbiotic, plain KVM, bare metal
	@vmm-side/e2e/suites.py kunit='kunit/kunit.py $(KUNIT_ARGS)'

kunit-py: all			## the same by the kernel's own kunit.py, under our VMM
	@vmm-side/e2e/suites.py kunit.py='kunit/kunit-py.sh $(B)'

e2e: test-files $(filter-out host,$(HOST_KERNEL))	## end-to-end cases; ONLY=regex, HOST_KERNEL=debug
	@vmm-side/e2e/run.py --only '$(ONLY)' $(if $(filter-out host,$(HOST_KERNEL)),--host-kernel $(HOST_KERNEL))

style: guest host qemu		## checkpatch, sparse, shellcheck, flake8, mypy --strict
	@vmm-side/e2e/suites.py style='vmm-side/e2e/style.sh $(B)'

# With FUZZ=SECONDS, each fuzzer for so long besides, which are not in make test's time.
# What they find need not be small.
TEST_FUZZERS	= fuzz-vmm='vmm-side/e2e/fuzz.sh $(B) $(FUZZ) $(SEED)' \
		  fuzz-lies='symspy/tests/lies/fuzz_lies.py --seconds $(FUZZ) --seed $(SEED)' \
		  fuzz-kvm='$(FUZZ_KVM) --seconds $$(($(FUZZ) / 3)) --shrink 60' \
		  $(foreach mode,in-place copy bypass,fuzz-mm-$(mode)='$(FUZZ_MM) --swap $(mode) \
			--seconds $$(($(FUZZ) / 3)) --shrink 60')

# KVM's interface also under a kernel that checks memory and locking: what a
# hostile guest does to its host shows there first; and on VT-x.
test: debug test-files		## everything: unit, style, KUnit, end-to-end; FUZZ=seconds
	@vmm-side/e2e/suites.py \
		--beside style='vmm-side/e2e/style.sh $(B)' \
		--beside intel-kunit='kunit/kunit.py --intel' \
		unit='vmm-side/e2e/unit.sh $(B)' \
		kunit='kunit/kunit.py' \
		kunit.py='kunit/kunit-py.sh $(B)' \
		end-to-end="vmm-side/e2e/run.py --exclude 'kasan$$'" \
		$(if $(FUZZ),$(TEST_FUZZERS))

# Bochs, which has VT-x, does 38 million instructions a second, and no more than one CPU.
# What it has not got is skipped for that, so no case is left out by its name but those of
# the checking kernel, which are test-debug's.
INTEL_RUN	:= vmm-side/e2e/run.py --l0 bochs
test-intel: test-files		## what one slow CPU can run, on VT-x; ONLY=regex
	@vmm-side/e2e/suites.py \
		intel="$(INTEL_RUN) --exclude 'kasan$$' --only '$(ONLY)'" \
		intel-kunit='kunit/kunit.py --intel'

# The rest of the tests under that kernel.
test-debug: debug test-files	## the same code under KASAN and lockdep, in the guest and in the host
	@vmm-side/e2e/suites.py \
		kunit-kasan='kunit/kunit.py --kasan' \
		guest-kasan="vmm-side/e2e/run.py --only 'kasan$$'" \
		host-debug="vmm-side/e2e/run.py --exclude 'kasan$$|^rig/' --host-kernel debug"

##@ Measure

run: deps all			## the swap-pressure experiment, short form (8 minutes)
	@python3 swapbypass/experiment/run.py $(RUN_ARGS)

experiments: deps all		## the full sweep of the experiment
	@python3 swapbypass/experiment/run.py --full $(RUN_ARGS)

run-nested: deps all		## the swap window in place, under nested paging, beside its peers
	@python3 swapbypass/experiment/run.py --nested $(RUN_ARGS)

run-spike: deps all stock	## four guests that need much memory in turns, and a host with half of it
	@python3 swapbypass/experiment/spike.py $(RUN_ARGS)

bench-count: deps all		## the experiment in instructions: the same numbers every time
	@python3 swapbypass/experiment/run.py --icount $(RUN_ARGS)

bench-micro: deps test-files	## null symcall against null hypercall
	@python3 symcall/experiment/micro.py $(RUN_ARGS)

run-passthrough: deps test-files	## NVMe without an IOMMU: passthrough, bare metal, virtio-blk
	@python3 dma-offset/experiment/passthrough.py --strict $(RUN_ARGS)

bench-cost: deps all guest-base	## what the extension costs where it is not used
	@python3 guest-linux/experiment/cost.py $(RUN_ARGS)

bench-modules: deps test-files	## a module from the VMM beside insmod of the same file
	@python3 guest-linux/experiment/modules.py $(RUN_ARGS)

bench-noise: deps all		## noise of both guests under the VMM
	@python3 guest-kitten/experiment/noise.py $(RUN_ARGS)

bench-phases: deps test-files	## shadow, nested and a VMM that chooses, for a guest of many phases
	@python3 vmm-side/experiment/phases.py $(RUN_ARGS)

# Half an hour; the only one that needs this package, which brings an MPI.
bench-hpcc: deps all		## HPC Challenge: native, shadow, nested, and a VMM that chooses
	@$(STEPS)/deps.sh hpcc
	@python3 vmm-side/experiment/hpcc.py $(RUN_ARGS)

bench-paging: deps all		## shadow against nested paging, both guests
	@python3 guest-kitten/experiment/paging.py $(RUN_ARGS)

##@ Clean

# All but the sources, whatever it is: a list of names would be forgotten.
clean:				## remove what was built, keep sources
	@[ ! -d $(B) ] || find $(B) -mindepth 1 -maxdepth 1 ! -name src -exec rm -rf {} +
	@rm -rf $(B)/src/*/obj-*

distclean:			## remove everything that was fetched or built
	rm -rf $(B)
