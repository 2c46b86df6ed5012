# SPDX-License-Identifier: GPL-2.0
"""What the swap experiments run: one Job runs one benchmark program once, one Guest is booted
for one job or for several. And what came of it: a Pass is one that a program timed, an Outcome
all that a job gave."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence

from modes import Mode
from rig import measure

SCRIPT = pathlib.Path(__file__).resolve().parent / "guest" / "jobs.sh"

# Guest counters that the benchmark programs read around each pass, by our
# column. What the guest answered and KVM mapped are the same but for races;
# KVM's own count is there for whole jobs only.
GUEST_COUNTERS = {"bypass maps": "answered_pages", "symcalls": "queries"}


@dataclasses.dataclass(frozen=True)
class Program:
    """A benchmark program, or one of two uses of it."""
    text: str                   # in tables
    kernel: str                 # the pass that stands for it in ratios
    unit: str                   # of its rate
    binary: str = ""            # if not its name


PROGRAMS = {
    "stream": Program("STREAM triad", "triad", "MB/s"),
    "fill": Program("STREAM, filled, used and ended", "triad", "MB/s", "stream"),
    "gups": Program("GUPS", "update", "GUPS"),
    "kv": Program("Key-value store", "mix", "Mops/s"),
    "shift": Program("Key-value store, another tenth hot in each pass", "mix", "Mops/s", "kv"),
    "forkmix": Program("Fork and exec, as in a build", "unit", "1/s"),
    "memperf": Program("Loads by stride", "load 64", "MB/s"),
}
# Arrays that each of STREAM's kernels reads and writes.
KERNEL_WORDS = {"copy": 2, "scale": 2, "add": 3, "triad": 3}
KERNELS = tuple(KERNEL_WORDS)


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of one program in one guest."""
    program: str                # one of PROGRAMS
    mode: Mode
    paging: str                 # "shadow", "nested", "none" on bare metal
    ws: int                     # working set, MiB
    guest_mem: int              # MiB
    contents: str = "random"    # of STREAM's arrays
    kernels: tuple[str, ...] = ("triad",)
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
    options: tuple[str, ...] = ()   # more of the program's own

    @property
    def kernel(self) -> str:
        """The one that stands for the program."""
        return PROGRAMS[self.program].kernel

    def name(self) -> str:
        """Which job this is, for progress lines."""
        contents = f" {self.contents}" if self.program == "stream" else ""
        return f"{self.program}{contents} {self.ws} MiB, {self.mode.name}, {self.paging}"

    def hopeless(self) -> bool:
        """Whether running out of memory is the expected result: incompressible pages need as
        much memory of the guest as before. Those of GUPS, numbers in a row at first, need less
        than half; they grow with the updates."""
        return self.mode.inside and (
            self.program == "stream" and self.contents == "random" or
            self.program == "gups" and self.ws > 2 * self.guest_mem)

    def command(self) -> str:
        """The program with its arguments."""
        words = [f"./{PROGRAMS[self.program].binary or self.program}",
                 "-m", str(self.ws), "-n", str(self.passes), *self.options]
        if "stream" in (self.program, PROGRAMS[self.program].binary):
            words += ["-c", self.contents, "-k", ",".join(self.kernels)]
        elif self.updates:
            words += ["-u", str(self.updates)]
        if self.page_out and self.mode.swaps:
            words.append("-o")
        for option, limit in (("-t", self.pass_limit), ("-T", self.run_limit),
                              ("-V", self.check_limit)):
            if limit:
                words += [option, f"{limit:g}"]
        if self.time_exit:
            words.append("-x")
        return " ".join(words)


# What guest/jobs.sh writes around each job.
JOB, STATUS = "--- job\n", "--- status "

BOOT_SECONDS = 6
HOPELESS_SECONDS = 40
LONGEST_DELAY = 120


@dataclasses.dataclass(frozen=True)
class Part:
    """A job's part of what a guest has said."""
    status: int | None          # None: the job did not come to its end
    out: str
    err: str


@dataclasses.dataclass(frozen=True)
class Guest:
    """One boot of a guest: jobs of one mode and paging mode that run in it one after the other.
    The rig takes KVM's counters between them."""
    jobs: tuple[Job, ...]

    def name(self) -> str:
        """For progress lines."""
        first, more = self.jobs[0], len(self.jobs) - 1
        return f"{first.name()} and {more} more" if more else first.name()

    def expect(self) -> float:
        """Seconds that it will take, about."""
        return BOOT_SECONDS + sum(j.expect for j in self.jobs)

    def limit(self) -> float:
        """Seconds after which it counts as hung: boot and set-up, and some times what the jobs
        should take. The longest ones have limits of their own, which a slow machine does not
        change."""
        if self.jobs[0].hopeless():
            return HOPELESS_SECONDS
        return 60 + min(3 * self.expect(), self.expect() + LONGEST_DELAY)

    def command(self) -> str:
        """The shell command that runs in the guest."""
        lines = [f"job {job.command()}" for job in self.jobs]
        return measure.script(SCRIPT, *GUEST_COUNTERS.values()) + "\n".join(lines)

    def options(self) -> dict[str, object]:
        """The rig's options for it."""
        job = self.jobs[0]
        return {"guest_mem": job.guest_mem, "swap": job.mode.swap, "swap_store": job.mode.store,
                # What is compared is the swap device: nobody else gives free memory back.
                "reporting": False,
                # The rig wants a paging mode even where it means nothing.
                "paging": "shadow" if job.paging == "none" else job.paging,
                "append": job.mode.append(job.ws), "timeout": self.limit()}

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Guest:
        """A guest for these jobs, with memory for the one that needs most."""
        memory = max(j.guest_mem for j in jobs)
        return cls(tuple(dataclasses.replace(j, guest_mem=memory) for j in jobs))

    def up_to(self, tier: int) -> Guest | None:
        """The guest without the jobs of higher tiers; None if none is left."""
        left = tuple(j for j in self.jobs if j.tier <= tier)
        return Guest(left) if left else None

    def parts(self, stdout: str, stderr: str) -> list[Part]:
        """What each job has said."""
        outs, errs = ([*text.split(JOB)[1:], *[""] * len(self.jobs)] for text in (stdout, stderr))
        found = []
        for _, out, err in zip(self.jobs, outs, errs):
            text, _, status = out.partition(STATUS)
            status = status.strip()
            found.append(Part(int(status) if status.isdigit() else None, text, err))
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
    counters: dict[str, int]

    def full_seconds(self) -> float:
        """Time of a whole pass at the speed of the part that was done."""
        return self.seconds * self.total / self.work


@dataclasses.dataclass
class Outcome:
    """What a job gave."""
    job: Job
    wall: float
    passes: list[Pass] = dataclasses.field(default_factory=list)
    fill_seconds: float | None = None
    exit_seconds: float | None = None
    memory: int | None = None       # KiB of MemTotal
    available: int | None = None    # KiB of MemAvailable before the program ran
    verified: tuple[int, int] | None = None     # elements that were checked, of how many
    wrong: str = ""                 # how many of them were
    host: dict[str, int] = dataclasses.field(default_factory=dict)
    error: str = ""
    out_of_memory: bool = False
    hung: bool = False              # the guest gave no status

    def no_room(self) -> bool:
        """Whether memory was short, as expected: either the kernel has killed the program, or
        it looks for memory without end."""
        return self.job.hopeless() and (self.out_of_memory or self.hung)

    def kernel(self, name: str = "") -> list[Pass]:
        """The passes of one kernel in order; of the main one if none is named."""
        return [p for p in self.passes if p.kernel == (name or self.job.kernel)]

    def first(self) -> float | None:
        """Seconds of the first pass, or None."""
        found = self.kernel()
        return found[0].full_seconds() if found else None

    def all_passes(self) -> float | None:
        """Seconds of all of them, the first one, too."""
        return sum(p.full_seconds() for p in self.kernel()) or None

    def whole(self) -> float | None:
        """Seconds of all that the program did with its memory: filling it, the passes, and the
        exit."""
        if self.fill_seconds is None or self.exit_seconds is None:
            return None
        return self.fill_seconds + (self.all_passes() or 0) + self.exit_seconds

    def steady_pass(self) -> Pass | None:
        """A good pass after the first; the first if there is no other.

        STREAM's rules take the best one. The clock of an emulated machine
        jumps now and then, which makes one pass far too short and the next
        too long by as much; so with ten passes or more, the tenth part with
        the best times does not count.
        """
        found = self.kernel()
        later = sorted(found[1:] or found, key=Pass.full_seconds)
        return later[len(later) // 10] if later else None

    def steady(self) -> float | None:
        """Seconds of that pass."""
        found = self.steady_pass()
        return found.full_seconds() if found else None

    def estimated(self) -> bool:
        """Whether steady() is scaled up from a part of a pass."""
        found = self.steady_pass()
        return bool(found and not found.complete)


def _one_pass(f: Mapping[str, str], elements: int, operations: int) -> Pass:
    """A line of a program about a pass."""
    name, done = f["kernel"], f.get("updates", f.get("ops"))
    words = KERNEL_WORDS.get(name)
    if "stride" in f:
        # A point of memperf's picture, by stride; all are complete.
        name += f" {8 * int(f['stride'])}"
    total = operations if done else elements * 8 * words if words else int(f["bytes"])
    return Pass(name, int(f["pass"]), float(f["seconds"]), float(done or f["bytes"]), total,
                rate=float(next(v for k, v in f.items() if k.startswith("rate_"))),
                complete="stride" in f or f["complete"] == "1",
                counters={k: int(v) for k, v in f.items()
                          if re.match("ps|pg", k) or k in GUEST_COUNTERS.values()})


def _read(out: Outcome, lines: Iterable[str]) -> None:
    """Reads what the program printed."""
    elements = operations = 0
    for line in lines:
        f = measure.fields(line)
        word = line.split(None, 1)[0] if line.strip() else ""
        if word == "MemTotal:":
            out.memory = int(line.split()[1])
        elif word == "MemAvailable:":
            out.available = int(line.split()[1])
        elif word == "stream":
            elements = int(f["elements"])
        elif word == "pass":
            out.passes.append(_one_pass(f, elements, operations))
        elif word == "verify":
            out.verified = int(f["checked"]), int(f["of"])
            out.wrong = "" if f["result"] == "ok" else f["wrong"]
        elif word == "init":
            out.fill_seconds = float(f["seconds"])
        elif word == "exit":
            out.exit_seconds = float(f["seconds"])
        else:
            operations = int(f.get("updates_per_pass", f.get("ops_per_pass", operations)))


def parse(job: Job, wall: float, part: Part, before: Mapping[str, int],
          after: Mapping[str, int]) -> Outcome:
    """Turns the output of a program into an Outcome; a result that was not verified is an
    error, however good its times look."""
    out = Outcome(job, wall, host={k: v - before.get(k, 0) for k, v in after.items()})
    _read(out, part.out.splitlines())
    # The kernel has killed the program, or the child that it runs in.
    if part.status == 137 or "died of signal 9" in part.err:
        out.out_of_memory = True
        out.error = "out of memory"
    elif out.wrong:
        out.error = f"WRONG DATA: {out.wrong} elements"
    elif part.status != 0:
        tail = (part.err.strip().splitlines() or ["no message"])[-1]
        out.error = f"status {part.status}: {tail}"
    elif not out.verified or not out.passes:
        out.error = "the program printed no verified result"
    return out
