# SPDX-License-Identifier: GPL-2.0
"""What the swap-pressure experiment runs: one Job runs one benchmark program
once, one Guest is booted for one job or for several."""

import dataclasses
import shlex

# Modes of the experiment, in the order of the tables.
NEVER = "never"             # memory for everything, no swap device
VIRTIO = "virtio-blk"       # ordinary swap disk on a RAM file of the host
ZRAM = "zram"               # compressed memory of the guest
SYMSWAP = "symswap"         # the shared swap window as a plain disk
BYPASS = "bypass"           # the shared swap window, with SwapBypass
NO_PRESSURE = "no-pressure"  # SwapBypass enabled, memory for everything
IN_PLACE = "in-place"       # the shared swap window, its pages used in place
QUARTER = "in-place 1/4"    # so, with a grant of a quarter of the working set
DIMM = "dimm"               # the window's memory as memory: a plugged DIMM
ZSWAP = "zswap"             # compressed memory before a virtio-blk disk
PMEM = "virtio-pmem"        # a RAM file of the host that the guest can address

MODES = (NEVER, DIMM, VIRTIO, PMEM, ZSWAP, ZRAM, SYMSWAP, BYPASS, IN_PLACE,
         QUARTER)
# What copies pages to and fro, so that it is slow under pressure.
PEERS = (VIRTIO, PMEM, ZSWAP, ZRAM, SYMSWAP)
ENOUGH = (NEVER, NO_PRESSURE)

MODE_TEXT = {
    NEVER: "never swaps (enough memory)",
    DIMM: "the same memory, as a DIMM",
    ZSWAP: "zswap over virtio-blk",
    PMEM: "virtio-pmem swap, host RAM file",
    IN_PLACE: "symswap in place",
    QUARTER: "symswap in place, 1/4 granted",
    VIRTIO: "virtio-blk swap, host RAM file",
    ZRAM: "zram",
    SYMSWAP: "symswap without bypass",
    BYPASS: "SwapBypass",
    NO_PRESSURE: "SwapBypass enabled, enough memory",
}


def curve_contents(mode):
    """STREAM's contents that stand for a mode where one picture or ratio
    must do: incompressible data, as long as the mode can hold it at all."""
    return "constant" if mode == ZRAM else "random"


# The rig's name of the swap set-up of each mode.
RIG_SWAP = {NEVER: "none", NO_PRESSURE: "bypass", QUARTER: "in-place"}

# Guest counters that the benchmark programs read around each pass, by our
# column. What the guest answered and KVM mapped are the same but for races;
# KVM's own count is there for whole jobs only.
GUEST_COUNTERS = {
    "bypass maps": "/sys/kernel/symbiotic/bypass/answered_pages",
    "symcalls": "/sys/kernel/symbiotic/bypass/queries",
}

# The pass that stands for a program in ratios, and its unit.
MAIN_PASS = {"stream": ("triad", "MB/s"), "gups": ("update", "GUPS"),
             "kv": ("mix", "Mops/s"), "shift": ("mix", "Mops/s"),
             "forkmix": ("unit", "1/s"), "memperf": ("load 64", "MB/s")}

COUNTER_KEYS = {path.rsplit("/", 1)[1] for path in GUEST_COUNTERS.values()}

KERNELS = ("copy", "scale", "add", "triad")


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of one program in one guest."""
    program: str                # one of MAIN_PASS
    mode: str
    paging: str                 # "shadow", "nested", "none" on bare metal
    ws: int                     # working set, MiB
    guest_mem: int              # MiB
    contents: str = "random"    # of STREAM's arrays
    kernels: tuple = ("triad",)
    passes: int = 2
    updates: int = 0            # GUPS, per pass; 0 = four per word
    page_out: bool = True       # swap everything out before the first pass
    pass_limit: float = 0       # seconds; 0 = none
    run_limit: float = 0        # no new pass after these seconds
    check_limit: float = 0
    time_exit: bool = False
    repeat: int = 0             # tells repetitions of a job apart
    tier: int = 0               # 0: always run; left out first: the highest
    expect: float = 10          # seconds that the job will take, about
    options: tuple = ()         # more of the program's own

    def name(self):
        """Which job this is, for progress lines."""
        contents = f" {self.contents}" if self.program == "stream" else ""
        return (f"{self.program}{contents} {self.ws} MiB, {self.mode}, "
                f"{self.paging}")

    def hopeless(self):
        """Whether running out of memory is the expected result: zram keeps
        the pages in the guest's own memory, where incompressible ones need
        as much as before. Those of GUPS, numbers in a row at first, need less
        than half; they grow with the updates."""
        return self.mode == ZRAM and (
            self.program == "stream" and self.contents == "random" or
            self.program == "gups" and self.ws > 2 * self.guest_mem)

    def swap(self):
        """The rig's name of the swap set-up."""
        return RIG_SWAP.get(self.mode, self.mode)

    def store(self):
        """Where the host's file lies, if there is one. What the guest addresses
        itself is best in huge pages, as its RAM is; a disk gains nothing from them."""
        return "tmpfs" if self.swap() in ("none", "zram", "virtio-blk", "zswap") else "hugetlbfs"

    def append(self):
        """What the guest's kernel is told."""
        if self.mode != QUARTER:
            return ""
        return f"symswap.limit={self.ws * 256 // 4}"

    def rig_paging(self):
        """The rig wants a paging mode even where it means nothing."""
        return "shadow" if self.paging == "none" else self.paging

    def command(self):
        """The shell command that runs in the guest."""
        binary = {"shift": "kv"}.get(self.program, self.program)
        words = [f"./{binary}", "-m", str(self.ws), "-n", str(self.passes),
                 *self.options]
        if self.program == "stream":
            words += ["-c", self.contents, "-k", ",".join(self.kernels)]
        elif self.updates:
            words += ["-u", str(self.updates)]
        if self.page_out and self.mode not in (*ENOUGH, DIMM):
            words.append("-o")
        if self.pass_limit:
            words += ["-t", f"{self.pass_limit:g}"]
        if self.run_limit:
            words += ["-T", f"{self.run_limit:g}"]
        if self.check_limit:
            words += ["-V", f"{self.check_limit:g}"]
        if self.time_exit:
            words.append("-x")
        counters = " ".join(shlex.quote(p) for p in GUEST_COUNTERS.values())
        return ("grep -E '^(MemTotal|MemAvailable|SwapTotal)' /proc/meminfo; "
                f"C=; for f in {counters}; do "
                "[ -r $f ] && C=\"$C -C $f\"; done; exec "
                + " ".join(words) + " $C")


PART, PART_STATUS = "--- part", "--- status"

BOOT_SECONDS = 6
HOPELESS_SECONDS = 40
LONGEST_DELAY = 120


@dataclasses.dataclass(frozen=True)
class Guest:
    """One boot of a guest: jobs of one mode and paging mode that run in it one
    after the other. The rig takes KVM's counters between them ("mark")."""
    jobs: tuple

    def name(self):
        """For progress lines."""
        first, last = self.jobs[0], self.jobs[-1]
        if first is last:
            return first.name()
        return f"{first.name()} and {len(self.jobs) - 1} more"

    def expect(self):
        """Seconds that it will take, about."""
        return BOOT_SECONDS + sum(j.expect for j in self.jobs)

    def limit(self):
        """Seconds after which it counts as hung: boot and set-up, and some times
        what the jobs should take. The longest ones have limits of their own, which
        a slow machine does not change."""
        if self.jobs[0].hopeless():
            return HOPELESS_SECONDS
        return 60 + min(3 * self.expect(), self.expect() + LONGEST_DELAY)

    def memory(self):
        """MiB."""
        return self.jobs[0].guest_mem

    def command(self):
        """The shell command that runs in the guest."""
        if len(self.jobs) == 1:
            return self.jobs[0].command()
        return "\necho mark >&3; read -r _ <&3\n".join(
            f"echo '{PART}'; echo '{PART}' >&2\n({job.command()}) 3>&-\n"
            f"echo \"{PART_STATUS} $?\"" for job in self.jobs)

    @classmethod
    def of(cls, jobs):
        """A guest for these jobs, with memory for the one that needs most."""
        memory = max(j.guest_mem for j in jobs)
        return cls(tuple(dataclasses.replace(j, guest_mem=memory)
                         for j in jobs))

    def up_to(self, tier):
        """The guest without the jobs of higher tiers; None if none is left."""
        left = tuple(j for j in self.jobs if j.tier <= tier)
        return Guest(left) if left else None

    def parts(self, status, stdout, stderr):
        """(status, stdout, stderr) of each job; status None for a job that
        did not come to its end."""
        if len(self.jobs) == 1:
            return [(status, stdout, stderr)]
        outs = stdout.split(PART + "\n")[1:]
        errs = stderr.split(PART + "\n")[1:]
        found = []
        for i in range(len(self.jobs)):
            out, _, rest = (outs[i] if i < len(outs) else "").partition(
                PART_STATUS)
            code = rest.strip()
            found.append((int(code) if code.isdigit() else None, out,
                          errs[i] if i < len(errs) else ""))
        return found


@dataclasses.dataclass
class Pass:
    """One timed kernel of one pass, as the program printed it."""
    kernel: str
    number: int
    seconds: float
    work: float                 # bytes or updates that were done
    total: float                # what a complete pass does
    rate: float                 # MB/s or GUPS
    complete: bool
    counters: dict

    def full_seconds(self):
        """Time of a whole pass at the speed of the part that was done."""
        return self.seconds * self.total / self.work


@dataclasses.dataclass
class Outcome:
    """What a job gave."""
    job: Job
    wall: float
    passes: list = dataclasses.field(default_factory=list)
    exit_seconds: float = None
    init_seconds: float = None
    memory: int = None          # KiB of MemTotal
    available: int = None       # KiB of MemAvailable before the program ran
    verify: dict = None
    host: dict = dataclasses.field(default_factory=dict)
    error: str = None
    out_of_memory: bool = False
    hung: bool = False          # the guest gave no status

    def no_room(self):
        """Whether memory was short, as expected: either the kernel has killed the
        program, or it looks for memory without end."""
        return self.job.hopeless() and (self.out_of_memory or self.hung)

    def kernel(self, name):
        """The passes of one kernel in order."""
        return [p for p in self.passes if p.kernel == name]

    def first(self, kernel):
        """Seconds of the first pass, or None."""
        found = self.kernel(kernel)
        return found[0].full_seconds() if found else None

    def steady_pass(self, kernel):
        """A good pass after the first; the first if there is no other.

        STREAM's rules take the best one. The clock of an emulated machine
        jumps now and then, which makes one pass far too short and the next
        too long by as much; so with ten passes or more, the tenth part with
        the best times does not count.
        """
        found = self.kernel(kernel)
        later = sorted(found[1:] or found, key=Pass.full_seconds)
        return later[len(later) // 10] if later else None

    def steady(self, kernel):
        """Seconds of that pass."""
        found = self.steady_pass(kernel)
        return found.full_seconds() if found else None

    def estimated(self, kernel):
        """Whether steady() is scaled up from a part of a pass."""
        return not self.steady_pass(kernel).complete

    def cut_short(self):
        """Whether a pass ran out of time."""
        return any(not p.complete for p in self.passes)


def _fields(line):
    pairs = (word.split("=", 1) for word in line.split()[1:] if "=" in word)
    return dict(pairs)


KERNEL_WORDS = {"copy": 2, "scale": 2, "add": 3, "triad": 3}


def parse(job, wall, status, stdout, before=None, after=None, stderr=""):
    """Turns the output of a program into an Outcome; a result that was not
    verified is an error, however good its times look."""
    out = Outcome(job, wall)
    elements = updates = 0
    for line in stdout.splitlines():
        word = line.split(None, 1)[0] if line.strip() else ""
        f = _fields(line)
        if word == "MemTotal:":
            out.memory = int(line.split()[1])
        elif word == "MemAvailable:":
            out.available = int(line.split()[1])
        elif word == "stream":
            elements = int(f["elements"])
        elif "updates_per_pass" in f:
            updates = int(f["updates_per_pass"])
        elif "ops_per_pass" in f:
            updates = int(f["ops_per_pass"])
        elif word == "init":
            out.init_seconds = float(f["seconds"])
        elif word == "pass":
            name, done = f["kernel"], f.get("updates", f.get("ops"))
            if "stride" in f:
                # A point of memperf's picture, by stride; all are complete.
                name += f" {8 * int(f['stride'])}"
                f["complete"] = "1"
            words = KERNEL_WORDS.get(f["kernel"])
            out.passes.append(Pass(
                kernel=name, number=int(f["pass"]),
                seconds=float(f["seconds"]), work=float(done or f["bytes"]),
                total=float(updates if done else elements * 8 * words
                            if words else f["bytes"]),
                rate=float(next(v for k, v in f.items()
                                if k.startswith("rate_"))),
                complete=f["complete"] == "1",
                counters={k: int(v) for k, v in f.items()
                          if k.startswith("ps") or k.startswith("pg")
                          or k in COUNTER_KEYS}))
        elif word == "verify":
            out.verify = f
        elif word == "exit":
            out.exit_seconds = float(f["seconds"])
    for key, value in (after or {}).items():
        if isinstance(value, (int, float)):
            out.host[key] = value - (before or {}).get(key, 0)
    # The kernel has killed the program, or the child that it runs in.
    if status == 137 or "died of signal 9" in stderr:
        out.out_of_memory = True
        out.error = "out of memory"
    elif out.verify and out.verify["result"] != "ok":
        out.error = f"WRONG DATA: {out.verify['wrong']} elements"
    elif status != 0:
        tail = (stderr.strip().splitlines() or ["no message"])[-1]
        out.error = f"status {status}: {tail}"
    elif not out.verify or not out.passes:
        out.error = "the program printed no verified result"
    return out
