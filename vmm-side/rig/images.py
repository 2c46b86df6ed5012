# SPDX-License-Identifier: GPL-2.0
"""What the machines boot from: initramfs archives, kernels, images of directories."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shlex
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from .cpio import Cpio

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
HERE = pathlib.Path(__file__).resolve().parent
QEMU = BUILD / "qemu" / "qemu-system-x86_64"
FIRMWARE = pathlib.Path("/usr/share/qemu")
SEABIOS = pathlib.Path("/usr/share/seabios")
BLOBS = (FIRMWARE / "qboot.rom", FIRMWARE / "pvh.bin", FIRMWARE / "linuxboot_dma.bin",
         FIRMWARE / "kvmvapic.bin", SEABIOS / "bios-256k.bin")
BUSYBOX = "/bin/busybox"

# L1's kernel by the name of its extended KVM modules' directory.
L1_KERNEL = {"host": "guest", "debug": "debug"}
MODULES = {"irqbypass": "virt/lib/irqbypass.ko", "kvm": "arch/x86/kvm/kvm.ko",
           "kvm-amd": "arch/x86/kvm/kvm-amd.ko", "kvm-intel": "arch/x86/kvm/kvm-intel.ko"}
# The guest's own driver of a device that it has from the start, and what that needs first;
# a kernel without such files has it in its image, or not at all.
DRIVERS = {"nvme": ("drivers/nvme/host/nvme-core.ko", "drivers/nvme/host/nvme.ko"),
           "e1000e": ("drivers/net/ethernet/intel/e1000e/e1000e.ko",)}
# For a link that is there twice, in the order in which they are loaded.
NET = ("lib/dim/dimlib.ko", "net/core/failover.ko", "drivers/net/net_failover.ko",
       "drivers/net/virtio_net.ko", "net/802/stp.ko", "net/llc/llc.ko", "net/bridge/bridge.ko",
       "drivers/net/tun.ko")
VFIO = ("drivers/vfio/vfio.ko", "drivers/vfio/vfio_iommu_type1.ko",
        "drivers/vfio/pci/vfio-pci-core.ko", "drivers/vfio/pci/vfio-pci.ko")


class RigError(Exception):
    """The bench itself failed; the message says what to look at."""


def read(path: pathlib.Path) -> str:
    """A text file's content; '' if there is none."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def read_bytes(path: pathlib.Path) -> bytes:
    """A file's content; nothing if there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def tool(*cmd: str, files: tuple[IO[bytes], ...] = ()) -> None:
    """Runs a program of the host, with files open, which must succeed."""
    try:
        done = subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              pass_fds=[f.fileno() for f in files])
    except OSError as e:
        raise RigError(f"{cmd[0]}: {e.strerror}") from None
    if done.returncode:
        said = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise RigError(f"{cmd[0]}: {said or f'status {done.returncode}'}")


def need(path: pathlib.Path, target: str) -> pathlib.Path:
    """A path, if it is there."""
    if not path.exists():
        raise RigError(f"{path} is missing; run `make {target}`")
    return path


@contextlib.contextmanager
def built(name: str) -> Iterator[None]:
    """While make builds this output, wait: half-linked files are no use."""
    with open(BUILD / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def once(dest: pathlib.Path, make: Callable[[pathlib.Path], None]) -> bool:
    """Run make(path) to have the image `dest`; returns whether it was run.
    Several benches may start at the same time."""
    dest.parent.mkdir(parents=True, exist_ok=True)
    with open(dest.parent / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if dest.exists():
            return False
        # Of somebody who was killed while he had the lock.
        for old in dest.parent.glob("*.tmp"):
            old.unlink()
        tmp = dest.with_name(f"{dest.name}.tmp")
        make(tmp)
        tmp.rename(dest)
        return True


def remove_oldest(pattern: str, keep: int) -> None:
    """Images change with every build; the last few are enough."""
    def age(path: pathlib.Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return 0
    for old in sorted((BUILD / "images").glob(pattern), key=age)[:-keep]:
        old.unlink(missing_ok=True)


def digest(data: bytes) -> str:
    """What names of images are made from: contents, not sizes or times, which a build
    or a user can leave as they were."""
    return hashlib.sha256(data).hexdigest()[:16]


def kept(src: pathlib.Path, *command: str) -> pathlib.Path:
    """A copy of src, made once per content; command changes it in place."""
    # All of it now, whatever becomes of src meanwhile.
    data = src.read_bytes()
    stem = f"{src.parent.name}-{src.name}"
    dest = BUILD / "images" / f"{stem}-{digest(data)}"

    def make(tmp: pathlib.Path) -> None:
        tmp.write_bytes(data)
        if command:
            tool(*command, str(tmp))

    if once(dest, make):
        remove_oldest(f"{stem}-{'?' * 16}", 2)
    return dest


def stripped(src: pathlib.Path) -> pathlib.Path:
    """An ELF file without what only debuggers read."""
    return kept(src, "strip", "-s")


def kernel_image(kernel: str, boot: str) -> pathlib.Path:
    """The file for QEMU's -kernel: an ELF for PVH boot, or a bzImage.

    kernel: a name below build/, or the path of a kernel build directory."""
    out = BUILD / kernel    # an absolute path stays what it is
    with built(out.name):
        if boot == "bzimage":
            # Named for its kernel: all are called bzImage, in directories called boot.
            return kept(need(out / "arch/x86/boot/bzImage", out.name))
        return stripped(need(out / "vmlinux", out.name))


def system_map(kernel: str) -> str:
    """The text of a kernel's System.map; '' if it has none."""
    return read(BUILD / kernel / "System.map")


def busybox(archive: Cpio) -> None:
    """Adds a shell and its tools."""
    archive.file("bin/busybox", BUSYBOX)
    listing = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    for applet in listing.stdout.split():
        if applet != "busybox":
            archive.symlink(f"bin/{applet}", "busybox")
    for d in ("proc", "sys", "dev", "tmp", "run", "root", "etc"):
        archive.directory(d)
    archive.data("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
                               b"nobody:x:65534:65534:nobody:/:/bin/sh\n")
    archive.data("etc/group", b"root:x:0:\nnogroup:x:65534:\n")


def shared_objects(binary: pathlib.Path) -> list[str]:
    """The paths of what a dynamic program loads."""
    out = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", out)


def module_trees(kernel: str) -> dict[str, pathlib.Path]:
    """Module directories by the name that `host=` uses."""
    trees = {"symbiotic": BUILD / kernel}
    if L1_KERNEL[kernel] != kernel:
        trees["plain-kvm"] = BUILD / L1_KERNEL[kernel]
    return trees


def l1_initramfs(kernel: str = "host") -> bytes:
    """L1: busybox, our QEMU with its libraries, KVM modules, host tools."""
    a = Cpio()
    busybox(a)
    a.file("init", HERE / "l1" / "init")
    with built("qemu"):
        a.file("usr/bin/qemu-system-x86_64", stripped(need(QEMU, "qemu")))
    for lib in shared_objects(QEMU):
        a.file(lib, lib)
    for blob in BLOBS:
        a.file(f"usr/share/qemu/{blob.name}", blob, 0o644)
    for name, tree in module_trees(kernel).items():
        with built(tree.name):
            for module, path in MODULES.items():
                if (tree / path).exists():
                    a.file(f"modules/{name}/{module}.ko", tree / path, 0o644)
    with built(kernel):
        hold = need(BUILD / kernel / "arch/x86/kvm/kvm-hold.ko", kernel)
        a.file("modules/kvm-hold.ko", hold, 0o644)
    l1 = L1_KERNEL[kernel]
    with built(l1):
        for path in VFIO:
            a.file(f"modules/vfio/{pathlib.Path(path).name}", need(BUILD / l1 / path, l1), 0o644)
        for path in NET:
            # A kernel without networks has none.
            if (BUILD / l1 / path).exists():
                a.file(f"modules/net/{pathlib.Path(path).name}", BUILD / l1 / path, 0o644)
    for tool in sorted((BUILD / "tools").glob("*")):
        if tool.is_file():
            a.file(f"usr/bin/{tool.name}", tool)
    # Beside them: what a host may offer its guests.
    for offered in sorted((BUILD / "tools" / "modules").rglob("*.ko*")):
        a.file(f"usr/bin/{offered.relative_to(BUILD / 'tools')}", offered, 0o644)
    return a.bytes()


def guest_initramfs() -> bytes:
    """The user space of L2, and of the same image on bare metal."""
    a = Cpio()
    busybox(a)
    a.file("init", HERE / "guest" / "init")
    return a.bytes()


def kitten_file(archive: Cpio, name: str, path: pathlib.Path) -> None:
    """A program without its symbols, or any other file as it is."""
    mode = 0o755 if os.access(path, os.X_OK) else 0o644
    with open(path, "rb") as f:
        elf = f.read(4) == b"\x7fELF"
    archive.file(name, stripped(path) if elf and mode == 0o755 else path, mode)


def kitten_initramfs(files: pathlib.Path | None = None) -> bytes:
    """The lightweight kernel's archive: its first task, and in files/ its
    programs and what is in a directory. Programs must be static."""
    a = Cpio()
    with built("kitten"):
        a.file("init_task", need(BUILD / "kitten" / "init_task", "kitten"))
        for top in [BUILD / "kitten" / "programs"] + ([files] if files else []):
            for path in sorted(p for p in top.rglob("*") if p.is_file()):
                kitten_file(a, f"files/{path.relative_to(top)}", path)
    # What benchmarks read before and after. This kernel has no such events.
    a.data("proc/vmstat", b"nr_free_pages 0\npswpin 0\npswpout 0\npgmajfault 0\n")
    return a.bytes()


def drivers(kernel: str, devices: Iterable[str]) -> list[bytes]:
    """Modules of a kernel for such devices, in the order in which they are loaded."""
    out = BUILD / kernel
    paths = [out / path for device in devices for path in DRIVERS.get(device, ())]
    if not paths or not out.exists():
        return []
    with built(out.name):
        return [path.read_bytes() for path in paths if path.exists()]


def job_initramfs(cmd: str, env: dict[str, str], modules: Iterable[bytes] = ()) -> bytes:
    """What differs from job to job: the command, byte for byte, its settings, and modules
    that the guest loads first."""
    a = Cpio()
    for number, module in enumerate(modules):
        a.data(f"job/modules/{number:02}.ko", module)
    a.data("job/cmd", os.fsencode(cmd) + b"\n", 0o755)
    a.data("job/env", "".join(f"{k}={shlex.quote(v)}\n" for k, v in env.items()).encode())
    return a.bytes()


def content(directory: pathlib.Path) -> str:
    """A digest of all that an image of a directory shows: names, modes, times, contents."""
    h = hashlib.sha256()
    for f in sorted(directory.rglob("*")):
        st = f.lstat()
        shown = f"{st.st_mode} {st.st_rdev} {st.st_mtime_ns}"
        h.update(os.fsencode(f"\0{f.relative_to(directory)}\0{shown}\0"))
        if stat.S_ISLNK(st.st_mode):
            h.update(os.fsencode(os.readlink(f)))
        elif stat.S_ISREG(st.st_mode):
            with open(f, "rb") as file:
                h.update(hashlib.file_digest(file, "sha256").digest())
    return h.hexdigest()[:16]


def erofs(directory: pathlib.Path) -> pathlib.Path:
    """An image of a directory, made once per content.

    Not squashfs: it allocates with GFP_NOIO to read, which in a guest whose
    memory is all anonymous finds nothing to reclaim and calls no OOM killer."""
    directory = directory.resolve()
    try:
        before = content(directory)
        dest = BUILD / "images" / f"files-{before}.erofs"

        def make(tmp: pathlib.Path) -> None:
            # Uncompressed: reading must cost the guest nothing worth measuring.
            tool("mkfs.erofs", "--quiet", "--all-root", "-x-1", str(tmp), str(directory))
            if content(directory) != before:
                raise RigError(f"FILES={directory}: it is being changed")

        if once(dest, make):
            remove_oldest("files-*.erofs", 8)
    except OSError as e:
        raise RigError(f"FILES={directory}: {e.strerror}: {e.filename}") from None
    return dest
