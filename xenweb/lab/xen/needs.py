"""Finds out what this machine lacks for the Xen lab, fetches the packages that apt can give, and says the rest."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xenweb.lab.errors import LabUnavailableError
from xenweb.lab.xen.guests import GUESTS, host_memory
from xenweb.lab.xen.layout import HOSTS

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MIB: Final = 1024**2
GIB: Final = 1024**3
MEMORY: Final = Path("/proc/meminfo")
CODENAME: Final = "bookworm"
"""The Debian with Xen 4.17."""
LACKING: Final = 3
"""What this program ends with where memory is lacking: no other end of a program is this one."""

MEMORY_BESIDE_HOSTS: Final = 3 * GIB
"""For the machine with the storage, what the emulators keep of translated programs, and whoever uses the lab."""
SPACE_FOR_BUILD: Final = 4 * GIB
SPACE_FOR_LAB: Final = 1 * GIB
# Programs of a running lab, and of the build of its image, by the package that has them.
LAB_PROGRAMS: Final = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
BUILD_PROGRAMS: Final = {"debootstrap": "debootstrap", "mke2fs": "e2fsprogs", "gcc": "gcc", "chroot": "coreutils"}
QUIETLY: Final = {"PATH": SYSTEM_PATH, "DEBIAN_FRONTEND": "noninteractive", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class DebianSource:
    """Where this machine's apt gets Debian from."""

    codename: str
    address: str


def check_for_lab(folder: Path, host_memory: int, meminfo: Path = MEMORY) -> None:
    """Raise LabUnavailableError with the first thing this machine lacks to run a lab in ``folder``.

    ``host_memory`` is what each of its hosts has, in MiB.
    """
    check_memory(host_memory, meminfo)
    check_space(folder, SPACE_FOR_LAB, "its machines' disks")
    install_missing(LAB_PROGRAMS)


def check_memory(host_memory: int, meminfo: Path = MEMORY) -> None:
    """Raise LabUnavailableError when this machine has not the memory for the lab's machines."""
    available, needed = available_memory(meminfo.read_text()), len(HOSTS) * host_memory * MIB + MEMORY_BESIDE_HOSTS
    if available < needed:
        msg = f"The Xen lab needs {needed / GIB:.0f} GiB of memory, and {available / GIB:.1f} are free here."
        raise LabUnavailableError(msg)


def check_for_build(cache: Path) -> None:
    """Raise LabUnavailableError with the first thing this machine lacks to build an image in ``cache``."""
    if os.geteuid() != 0:
        msg = "The Xen lab's image is built with debootstrap, which needs root: run `lab up xen` once as root."
        raise LabUnavailableError(msg)
    check_space(cache, SPACE_FOR_BUILD, "building its image")


def install() -> None:
    """Install what the build needs and this machine lacks."""
    install_missing(BUILD_PROGRAMS)


def available_memory(meminfo: str) -> int:
    """Return the bytes that new programs may have, from the text of /proc/meminfo."""
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def check_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise LabUnavailableError when the disk of ``folder`` has less than ``needed`` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        msg = f"The Xen lab needs {needed / GIB:.0f} GiB in {folder} for {purpose}, and {free / GIB:.1f} are free."
        raise LabUnavailableError(msg)


def missing_packages(programs: dict[str, str], which: Callable[[str], str | None] | None = None) -> list[str]:
    """Return the packages of those ``programs`` that are not on this machine."""
    look = which or (lambda program: shutil.which(program, path=SYSTEM_PATH))
    return sorted({package for program, package in programs.items() if look(program) is None})


def install_missing(programs: dict[str, str]) -> None:
    """Install the packages of missing programs with apt; raise LabUnavailableError naming them if that fails."""
    missing = missing_packages(programs)
    if not missing:
        return
    if os.geteuid() == 0 and shutil.which("apt-get", path=SYSTEM_PATH):
        for command in (("update",), ("install", "-y", "--no-install-recommends", *missing)):
            _apt("apt-get", "-qq", *command)
        missing = missing_packages(programs)
    if missing:
        msg = f"The Xen lab needs {', '.join(missing)}, which apt did not install: run `lab up xen` once as root."
        raise LabUnavailableError(msg)


def debian_source() -> DebianSource:
    """Return where this machine's apt has the Debian the image is made of; raise LabUnavailableError if nowhere."""
    fields = ("indextargets", "--format", "$(REPO_URI)\t$(CODENAME)\t$(ORIGIN)\t$(COMPONENT)")
    listed = _apt("apt-get", *fields, "Created-By: Packages")
    found = chosen_source(listed)
    if found is None:
        _apt("apt-get", "-qq", "update")  # apt knows a source's name only after it has fetched its list
        found = chosen_source(_apt("apt-get", *fields, "Created-By: Packages"))
    if found is None:
        msg = f"The Xen lab is made of Debian's {CODENAME}, which is not among the sources of this machine's apt."
        raise LabUnavailableError(msg)
    return found


def chosen_source(listed: str) -> DebianSource | None:
    """Return the source of the Debian we want among apt's: address, codename, origin, component, between tabs."""
    for line in listed.splitlines():
        address, codename, origin, component = line.split("\t")
        if (codename, origin, component) == (CODENAME, "Debian", "main"):
            return DebianSource(codename, address)
    return None


def _apt(*command: str) -> str:
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=QUIETLY)
    return done.stdout


def main() -> int:
    """Print why this machine's memory is not enough for the lab, and answer LACKING; or nothing, and 0."""
    try:
        check_memory(host_memory(GUESTS))
    except LabUnavailableError as error:
        print(error)
        return LACKING
    return 0


if __name__ == "__main__":
    sys.exit(main())
