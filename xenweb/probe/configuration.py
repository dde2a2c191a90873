"""How a host's probe is set up: one small file of JSON, and sane defaults for all that it leaves out."""

import json
import os
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Final

PLACE: Final = Path("/etc/xenweb-probe/config.json")
XEN: Final = "4.17"
"""The Xen whose save helper this probe understands."""

PORT: Final = 16515
PROGRAM: Final = "xenweb-probe"
VARIABLE: Final = b"LIBXL_SAVE_HELPER="
HELPERS: Final = (
    f"/usr/lib/xen-{XEN}/bin/libxl-save-helper",
    "/usr/lib/xen/bin/libxl-save-helper",
    "/usr/libexec/xen/bin/libxl-save-helper",
    "/usr/local/lib/xen/bin/libxl-save-helper",
)


@dataclass(frozen=True)
class Configuration:
    """All that can be set."""

    run: Path = Path("/run/xenweb-probe")
    key_file: Path = Path("/etc/xenweb-probe/key")
    address: str = ""
    port: int = PORT
    helper: str = ""
    xen: str = XEN
    version_folder: Path = Path("/sys/hypervisor/version")
    xl: str = "xl"
    restart: tuple[str, ...] = ("systemctl", "restart", "libvirtd.service")
    """What starts libvirt's daemon anew; its guests run on meanwhile."""

    states: Path = Path("/var/lib/xenweb-probe/states")
    """Where the memory of guests is kept that a guard was asked to keep."""

    measures_changes: bool = True
    """Whether it may be measured how fast a guest changes its memory: that slows the guest down for a second."""

    daemons: tuple[str, ...] = ("libvirtd", "virtxend")
    """The processes of which one must have been told to start this probe in its helper's place."""

    processes: Path = Path("/proc")

    @classmethod
    def read(cls) -> "Configuration":
        """Read the file; what is missing, unknown or unreadable is as if it were not written."""
        try:
            said = json.loads(Path(os.environ.get("XENWEB_PROBE_CONFIG", PLACE)).read_text(encoding="utf-8"))
            defaults = cls()
            values = {
                each.name: type(getattr(defaults, each.name))(said[each.name])
                for each in fields(cls)
                if each.name in said
            }
            return cls(**values)
        except (OSError, ValueError, TypeError):
            return cls()

    @property
    def reports(self) -> Path:
        """Answer where relays tell what they see."""
        return self.run / "reports.sock"

    def real_helper(self) -> str:
        """Answer the path of Xen's own helper."""
        known = (self.helper, *HELPERS) if self.helper else HELPERS
        return next((each for each in known if os.access(each, os.X_OK)), known[0])

    def xen_version(self) -> str:
        """Answer the Xen that runs here, such as ``4.17``; empty if it does not say."""
        try:
            return ".".join((self.version_folder / part).read_text().strip() for part in ("major", "minor"))
        except OSError:
            return ""

    def daemon_in_use(self, known: Path | None = None) -> Path | None:
        """Answer libvirt's daemon if it starts a relay as it runs now: it reads its environment only once.

        To find it takes a look at every process, unless the one that was ``known`` to be it still is.
        """
        found = self.processes.glob("[0-9]*")
        looked_at = found if known is None else chain((known,), found)
        return next((each for each in looked_at if _name(each) in self.daemons and _starts_relay(each)), None)

    def is_made_for_this_xen(self) -> bool:
        """Say whether the helper of the Xen that runs here speaks as this probe expects."""
        return self.is_made_for(self.xen_version())

    def is_made_for(self, version: str) -> bool:
        """Say whether the helper of such a Xen speaks as this probe expects."""
        return version == self.xen == XEN


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return ""


def _starts_relay(process: Path) -> bool:
    try:
        environment = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    named = [each.partition(b"=")[2].decode("utf-8", "replace") for each in environment if each.startswith(VARIABLE)]
    return any(Path(each).name == PROGRAM and os.access(each, os.X_OK) for each in named)
