"""Builds the one image all machines of the Xen lab start from, once, and keeps it until what it is made of changes.

The parts: ``root.img`` (Debian, Xen and our programs), ``xen`` (the hypervisor), ``vmlinuz`` and ``boot.img`` (a
kernel and what finds the root file system), ``ocfs2.img`` (an empty cluster file system).
"""

import fcntl
import gzip
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xenweb.lab.errors import LabError
from xenweb.lab.xen import contents, kernels, needs
from xenweb.lab.xen.archive import boot_archive

Say = Callable[[str], None]

PACKAGES: Final = (
    "linux-image-amd64", "xen-hypervisor-4.17-amd64", "xen-utils-4.17", "qemu-system-xen", "libvirt-daemon",
    "libvirt-daemon-driver-xen", "libvirt-clients", "openssh-server", "iproute2", "busybox-static", "kmod", "udev",
    "dmsetup", "lvm2", "open-iscsi", "nfs-common", "nfs-kernel-server", "tgt", "ocfs2-tools", "procps",
)  # fmt: skip
HOST_MODULES: Final = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
GUEST_MODULES: Final = ("xen_blkfront",)
ROOT_SIZE: Final = "3G"
CLUSTER_SIZE: Final = "2560M"  # mkfs wants 2 GiB for disks of VMs; most of it is a hole
NOT_NEEDED: Final = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
COMPILE: Final = ("gcc", "-static", "-O2", "-Wall", "-Wextra", "-Werror")
ENVIRONMENT: Final = {"PATH": needs.SYSTEM_PATH, "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


@dataclass(frozen=True, slots=True)
class Image:
    """A finished image: its folder, and its parts."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root file system, never written to."""
        return self.folder / "root.img"

    @property
    def hypervisor(self) -> Path:
        """Xen, unpacked: QEMU starts it as a multiboot kernel."""
        return self.folder / "xen"

    @property
    def kernel(self) -> Path:
        """Debian's kernel."""
        return self.folder / "vmlinuz"

    @property
    def archive(self) -> Path:
        """What the kernel needs to find its root file system."""
        return self.folder / "boot.img"

    @property
    def cluster(self) -> Path:
        """An empty OCFS2, never written to."""
        return self.folder / "ocfs2.img"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return XENWEB_CACHE, or this user's cache."""
    return Path(environment.get("XENWEB_CACHE") or Path.home() / ".cache" / "xenweb")


def digest() -> str:
    """Return what identifies the inputs of an image: our programs, this recipe, and the packages' names."""
    here = Path(__file__).parent
    recipe = (here / name for name in ("image.py", "contents.py", "archive.py", "kernels.py", "records.py"))
    seen = hashlib.sha256(repr(sorted(contents.files().items())).encode())
    for source in (*recipe, *sorted(contents.OURS.iterdir())):
        seen.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return seen.hexdigest()[:12]


def ensure(say: Say, cache: Path | None = None) -> Image:
    """Return the image, building it when there is none of these inputs yet; that takes minutes, and root.

    Raises LabUnavailableError when this machine cannot build it, LabError with the last words of the step that failed.
    """
    cache = (cache or cache_folder()).absolute()  # disks name it, wherever they are used
    finished = cache / f"xen-{digest()}"
    if finished.is_dir():
        return Image(finished)
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "xen.lock"):
        if not finished.is_dir():
            needs.check_for_build(cache)
            _build(finished, say)
    return Image(finished)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(finished: Path, say: Say) -> None:
    began = time.monotonic()
    folder = finished.with_name(f"{finished.name}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    part = Image(folder)
    try:
        for words, step in (
            ("installing Debian and Xen into a folder (2 to 4 minutes)", _install),
            ("adding the lab's programs", _lay),
            ("making the cluster file system", _make_cluster),
            ("making the root file system", _make_root),
        ):
            say(f"Xen image: {words} …")
            step(part)
        shutil.rmtree(folder / "rootfs")
        folder.rename(finished)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    say(f"Xen image: ready in {finished} after {time.monotonic() - began:.0f} s.")


def _install(part: Image) -> None:
    needs.install()
    source = needs.debian_source()
    command = ("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", source.codename)
    _run(*command, str(part.folder / "rootfs"), source.address)


def _lay(part: Image) -> None:
    root = part.folder / "rootfs"
    contents.lay(root)
    kernel = next((root / "boot").glob("vmlinuz-*")).read_bytes()
    part.kernel.write_bytes(kernel)
    part.hypervisor.write_bytes(gzip.decompress(next((root / "boot").glob("xen-*.gz")).read_bytes()))
    first = (contents.OURS / "boot-init").read_bytes()
    part.archive.write_bytes(boot_archive(root, first, HOST_MODULES, {}))
    _run(*COMPILE, str(contents.OURS / "witness.c"), "-o", str(part.folder / "witness"))
    witness = {"witness": (part.folder / "witness").read_bytes()}
    first = (contents.OURS / "guest-init").read_bytes()
    (root / contents.GUEST_KERNEL.lstrip("/")).write_bytes(kernels.unpacked(kernel))
    (root / contents.GUEST_ARCHIVE.lstrip("/")).write_bytes(boot_archive(root, first, GUEST_MODULES, witness))


def _make_cluster(part: Image) -> None:
    root = part.folder / "rootfs"
    image = root / "ocfs2.img"
    _run("truncate", "--size", CLUSTER_SIZE, str(image))
    (root / "etc/mtab").unlink(missing_ok=True)
    (root / "etc/mtab").touch()  # mkfs.ocfs2 looks there whether the device is mounted
    stack = ("--cluster-stack=o2cb", "--cluster-name=lab", "--force")
    _run("chroot", str(root), "mkfs.ocfs2", "-q", "-T", "vmstore", "-N", "2", *stack, "/ocfs2.img")
    image.rename(part.cluster)


def _make_root(part: Image) -> None:
    root = part.folder / "rootfs"
    for name in NOT_NEEDED:
        shutil.rmtree(root / name, ignore_errors=True)
    for archive in (root / "boot").iterdir():
        archive.unlink()  # what boots lies outside
    _run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(part.root), ROOT_SIZE)


def _run(*command: str) -> None:
    """Run one step of the build; raise LabError with its last words when it fails."""
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=ENVIRONMENT
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
        msg = f"The Xen image cannot be built: {command[0]} ended with {done.returncode}: {said[-1]}"
        raise LabError(msg)
