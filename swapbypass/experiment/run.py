#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The swap-pressure experiment: the same programs and working sets in guests
that never swap, swap to virtio-blk, zram or symswap, or use SwapBypass.

Ends with a table, the bars of SwapBypass, a CSV file and plots in
results/<date>/. The exit status tells whether all jobs ran and all data was
right; a missed bar shows in the table alone unless --strict is given.
"""

import argparse
import concurrent.futures
import datetime
import os
import pathlib
import re
import subprocess
import time

import jobs as jobs_module
import nested
import plan as plan_module
import report

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent

CALIBRATION_MEM = 144


def say(text=""):
    """Prints a line at once, so that a long run shows its progress."""
    print(text, flush=True)


def run_guest(bench, guest, files):
    """Boots a guest for its jobs; whatever goes wrong becomes their error.
    Returns the outcomes."""
    start = time.monotonic()
    first = guest.jobs[0]

    def failed(error, hung=False):
        wall = time.monotonic() - start
        return [jobs_module.Outcome(job, wall, error=error, hung=hung)
                for job in guest.jobs]

    try:
        result = bench.run(guest.command(), files=files,
                           guest_mem=guest.memory(), paging=first.rig_paging(),
                           swap=first.swap(), swap_store=first.store(),
                           append=first.append(), timeout=guest.limit())
    except Exception as error:      # pylint: disable=broad-except
        return failed(f"{type(error).__name__}: {error}")
    if result.status is None:
        # The rig says why; its first line is enough here, the rest is for
        # the log.
        if not first.hopeless():
            say("         " + result.explain().replace("\n", "\n         | "))
        return failed((result.error or "no status").split("\n", 1)[0], True)

    wall = (time.monotonic() - start) / len(guest.jobs)
    moments = [result.host_before, *result.host_marks, result.host_after]
    return [jobs_module.parse(job, wall, status, out, *counts, err)
            for job, (status, out, err), counts in
            zip(guest.jobs, guest.parts(result.status, result.stdout,
                                        result.stderr),
                zip(moments, moments[1:]))]


def describe(outcome):
    """The progress line of a finished job."""
    if outcome.no_room():
        return f"{outcome.error} ({outcome.wall:.0f} s), as expected"
    if outcome.error:
        return f"FAILED after {outcome.wall:.0f} s: {outcome.error}"
    kernel = report.kernel_of(outcome.job.program)
    first, steady = outcome.first(kernel), outcome.steady(kernel)
    passes = outcome.kernel(kernel)
    text = f"first {first:.3f} s"
    if len(passes) > 1:
        text += f", steady {steady:.3f} s"
    if outcome.cut_short():
        last = passes[-1]
        text += (f"; pass {last.number} cut short after {last.seconds:.1f} s, "
                 f"{100 * last.work / last.total:.0f}% done")
    checked, total = outcome.verify["checked"], outcome.verify["of"]
    if checked != total:
        text += (f"; verified {100 * int(checked) / int(total):.0f}% "
                 "of the data")
    return text + f"  [{outcome.wall:.0f} s]"


def say_outcomes(outcomes):
    """One line for each job of a guest."""
    for outcome in outcomes:
        say(f"         {outcome.job.name()}: {describe(outcome)}")


def calibrate(bench, files):
    """MiB that a guest needs for itself, and its kernel's version."""
    result = bench.run("uname -r; cat /proc/meminfo", files=files,
                       guest_mem=CALIBRATION_MEM, paging="shadow", swap="none",
                       timeout=120, host_cmd="uname -r")
    found = re.search(r"^MemAvailable:\s+(\d+) kB", result.stdout, re.M)
    if result.status != 0 or not found:
        raise RuntimeError("the first guest did not tell its free memory: " +
                           (result.stderr.strip() if result.status is not None
                            else result.explain()))
    return (CALIBRATION_MEM - int(found.group(1)) // 1024,
            result.stdout.split("\n", 1)[0].strip(),
            (result.host_out or "").split("\n")[0].strip())


def first_line(*command):
    """The first line that a command prints, or ''."""
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=20, check=False, cwd=TOP)
    except OSError:
        return ""
    return done.stdout.split("\n", 1)[0].strip()


def machine():
    """What the numbers were measured on."""
    info = {"cpus": str(os.cpu_count()), "model": "unknown", "flags": ""}
    for line in pathlib.Path("/proc/cpuinfo").read_text(
            encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            info["model"] = line.split(":", 1)[1].strip()
        elif line.startswith("flags"):
            info["flags"] = line.split(":", 1)[1]
    words = info["flags"].split()
    info["hardware"] = "svm" in words or "vmx" in words
    return info


def versions(guest, host, icount):
    """(short form for the CSV, lines for people)."""
    project = first_line("git", "describe", "--always", "--dirty") or "unknown"
    qemu = first_line("qemu-system-x86_64", "--version")
    qemu = (re.search(r"version (\S+)", qemu) or [None, "unknown"])[1]
    inner = first_line(str(TOP / "build/qemu/qemu-system-x86_64"), "--version")
    inner = (re.search(r"version (\S+)", inner) or [None, qemu])[1]
    about = machine()
    short = (f"symbiotic {project}; guest {guest}; host {host}; "
             f"qemu {inner} on {qemu}")
    lines = [
        f"date          {datetime.datetime.now().astimezone():%F %T %z}",
        f"project       {project}",
        f"guest kernel  {guest}",
        f"host          {host}",
        f"QEMU          {inner} in L1, {qemu} as L0",
        f"machine       {about['cpus']} x {about['model']}",
    ]
    if icount:
        short += "; instructions"
        lines += [
            "counted       instructions, by the emulator (-icount): a second "
            "is 10^9 of them, of the whole",
            "              machine: guest, KVM and QEMU. The same every time. "
            "Not in it: what an exit",
            "              costs the processor itself, and misses of caches "
            "and TLBs."]
    elif about["hardware"]:
        lines.append("emulated      nothing, or no more than one level: this "
                     "CPU has svm or vmx")
    elif host.startswith("bare-metal"):
        lines.append("emulated      the guest's machine, by QEMU (TCG); no KVM "
                     "is involved")
    else:
        lines += [
            "emulated      all of it: L0 is QEMU's software emulation (TCG) "
            "of an AMD-V machine,",
            "              and L1 and the guest run on it. Real are the "
            "kernels, KVM, QEMU and the",
            "              programs; seconds are those of the emulation. "
            "Ratios between modes carry",
            "              over roughly, absolute rates do not; an exit "
            "costs about 30 us here."]
    return short, lines


def new_directory(base):
    """results/<date>, or <date>-2 and so on."""
    date = datetime.date.today().isoformat()
    for number in range(1, 1000):
        path = base / (date if number == 1 else f"{date}-{number}")
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            continue
    raise RuntimeError(f"too many results in {base}")


def highest_tier(guests, seconds):
    """The highest tier with which all guests are expected to fit."""
    for tier in range(plan_module.EXTRA_TIER, 0, -1):
        left = [g.up_to(tier) for g in guests]
        if sum(g.expect() for g in left if g) <= seconds:
            return tier
    return 0


def run_all(bench, todo, files, deadline):
    """Runs the jobs of the guests in @todo; returns the outcomes and the jobs
    that were left out."""
    outcomes, left_out = [], []
    start = time.monotonic()
    expected = 0
    for number, guest in enumerate(todo, 1):
        spent = time.monotonic() - start
        if deadline:
            # As fast or slow as this machine was so far.
            pace = spent / expected if expected else 1
            tier = highest_tier(todo[number - 1:], (deadline - spent) / pace)
            left_out += [j for j in guest.jobs if j.tier > tier]
            guest = guest.up_to(tier)
            if not guest:
                continue
        expected += guest.expect()
        say(f"[{spent:4.0f} s] {number}/{len(todo)} {guest.name()} ...")
        done = run_guest(bench, guest, files)
        outcomes += done
        say_outcomes(done)
        if done[0].hung and not done[0].no_room():
            # Guests of an emulated host hang now and then. The hang stays
            # in the report; the second try is for the number.
            done = run_guest(bench, guest, files)
            outcomes += done
            say("         again:")
            say_outcomes(done)
    return outcomes, left_out


def memory_note(outcomes, free):
    """Whether the guests under pressure had the free memory they should."""
    seen = [o.available / 1024 for o in outcomes
            if o.available and o.job.mode in jobs_module.PEERS +
            (jobs_module.BYPASS,)]
    if not seen:
        return []
    return [f"MemAvailable before the programs ran: {min(seen):.0f} to "
            f"{max(seen):.0f} MiB (planned {free})"]


def count_near_one(bench_class, plan, files):
    """Runs the jobs of the bars near 1 once more on machines that count
    instructions; returns the outcomes. What else a processor does changes no
    count, so that two machines run at a time."""
    say()
    say("What is compared within a few percent, in instructions: 10^9 of them "
        "are a second")

    def on_machine(guests):
        with bench_class(host=plan.host, icount=True, smp=1) as bench:
            return run_all(bench, guests, files, 0)[0]

    halves = type(plan)(plan.free, plan.overhead, host=plan.host,
                        icount=True).near_one()
    with concurrent.futures.ThreadPoolExecutor(len(halves)) as pool:
        return [o for done in pool.map(on_machine, halves) for o in done]


def make_report(outcomes, counted, left_out, plan, directory, about,
                extra=None):
    """Prints and stores everything; returns the bars. @extra: nested.Extra, in
    the experiment that has it."""
    short, version_lines = about
    results = report.Results(outcomes)
    ws, gups_ws = plan.bar_ws(), plan.gups_table(plan_module.BAR_SIZE)
    view = nested if extra else report
    lines = [""] + view.table(results, ws, gups_ws, plan.free)
    bars = []
    if plan.host == "symbiotic":
        bars = view.bars(results, report.Results(counted), ws, gups_ws)
        if extra:
            lines += extra.text()
            bars += extra.bars()
        lines += ["Bars, at a working set of twice the guest's free memory "
                  "(seconds per pass):"]
        lines += report.bars_text(bars) + [""]
        lines += report.noise_text(results, ws)
    lines += memory_note(outcomes, plan.free)
    if view is report and not plan.full and plan.host != "bare-metal":
        lines.append("Peers ran in the paging mode that was better for them "
                     "when both were measured: " + ", ".join(
                         f"{m} {p}" for m, p in plan.peer_paging.items()))
    for job in left_out:
        lines.append(f"left out for lack of time: {job.name()}")
    lost = results.lost() + report.Results(counted).lost()
    for outcome in results.failed + report.Results(counted).failed:
        word = "FAILED" if outcome in lost else "failed, but not when repeated"
        lines.append(f"{word}: {outcome.job.name()}: {outcome.error}")
    lines += [""] + version_lines

    report.write_csv(directory / "summary.csv",
                     [(o, short) for o in outcomes] +
                     [(o, short + "; instructions") for o in counted])
    pictures, reason = report.plot(results, plan.free, directory)
    (directory / "versions.txt").write_text("\n".join(version_lines) + "\n",
                                            encoding="utf-8")
    (directory / "table.txt").write_text("\n".join(lines) + "\n",
                                         encoding="utf-8")
    for line in lines:
        say(line)
    say()
    if reason:
        say(f"no plot: {reason}")
    for path in [directory / "table.txt", directory / "summary.csv",
                 *pictures]:
        say(f"written: {os.path.relpath(path)}")
    return bars


def arguments(argv):
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--full", action="store_true",
                        help="the full sweep: all sizes, both paging modes")
    parser.add_argument("--nested", action="store_true",
                        help="the swap window in place, under nested paging, "
                        "and its peers")
    parser.add_argument("--host", choices=tuple(plan_module.HOST_MODES),
                        default="symbiotic", help="the machine under the "
                        "guest; without SwapBypass on the others")
    parser.add_argument("--free", type=int, metavar="MiB",
                        help="free memory of the guest (default 64; with "
                        "--nested, which has many more guests, 32)")
    parser.add_argument("--icount", action="store_true",
                        help="count instructions (10^9 are a second) instead "
                        "of measuring time; on an emulated machine")
    parser.add_argument("--time-only", action="store_true",
                        help="do not repeat in instructions what is compared "
                        "within a few percent")
    parser.add_argument("--seconds", type=float, default=280,
                        help="leave out points of the plot to take no longer "
                        "for the part in time (not with --full)")
    parser.add_argument("--programs", type=pathlib.Path,
                        default=TOP / "build" / "bench",
                        help="directory with the static programs")
    parser.add_argument("--results", type=pathlib.Path, default=TOP / "results")
    parser.add_argument("--only", metavar="PATTERN",
                        help="run only jobs whose name matches")
    parser.add_argument("--list", action="store_true",
                        help="print the jobs and end")
    parser.add_argument("--strict", action="store_true",
                        help="fail if a bar is missed")
    args = parser.parse_args(argv)
    args.free = args.free or (32 if args.nested else 64)
    return args


def main(argv=None, bench_class=None):
    """Runs the experiment; returns the exit status."""
    args = arguments(argv)
    kind = nested.NestedPlan if args.nested else plan_module.Plan
    if args.list:
        for guest in kind(args.free, 50, args.full, host=args.host).guests():
            for job in guest.jobs:
                say(("" if job is guest.jobs[0] else "  ") + job.name() +
                    (f" (tier {job.tier})" if job.tier else ""))
        return 0
    if bench_class is None:
        # Imported late: the report and its tests need no rig.
        from rig import Bench as bench_class    # pylint: disable=C0415
        subprocess.run(["make", "-s", "-C", str(HERE.parent / "bench"),
                        f"O={args.programs.resolve()}"], check=True)

    counting = not (args.time_only or args.icount or args.only or
                    args.host != "symbiotic" or machine()["hardware"])
    with bench_class(host=args.host, icount=args.icount,
                     smp=1 if args.icount else 2) as bench:
        overhead, guest, host = calibrate(bench, args.programs)
        plan = kind(args.free, overhead, args.full, host=args.host,
                    icount=args.icount,
                    repeats=1 if args.icount or counting else 2,
                    counted=counting)
        if args.only:
            chosen = [jobs_module.Guest.of([j]) for g in plan.guests()
                      for j in g.jobs if re.search(args.only, j.name())]
            plan.guests = lambda: chosen
        say(f"a guest needs {overhead} MiB for itself: {overhead + args.free} "
            f"MiB of memory leave {args.free} MiB free")
        outcomes, left_out = run_all(bench, plan.guests(), args.programs,
                                     0 if args.full or args.nested else
                                     args.seconds)
        extra = None
        if args.nested:
            extra = nested.Extra.measure(bench, plan, args.programs, say)
    counted = count_near_one(bench_class, plan, args.programs) \
        if counting else []

    directory = new_directory(args.results)
    bars = make_report(outcomes, counted, left_out, plan, directory,
                       versions(guest, f"{args.host} {host}".strip(),
                                args.icount), extra)
    if report.Results(outcomes).lost() or report.Results(counted).lost() or \
            (extra and extra.errors):
        return 1
    if args.strict and any(b.verdict() != "PASS" for b in bars):
        return 1
    return 0


if __name__ == "__main__":
    from rig import ending
    ending.exit_when_told(main)
