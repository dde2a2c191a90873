"""Pack the probe into the one file that is put on a host."""

import io
import zipfile
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
MODULES: Final = (
    "__init__",
    "commands",
    "configuration",
    "daemon",
    "dirtying",
    "entry",
    "frames",
    "guards",
    "guests",
    "keeping",
    "memories",
    "places",
    "record",
    "relay",
    "remedies",
    "snapshots",
    "storage",
    "volumes",
    "waiting",
    "wire",
)
# The shell starts in no time, and Python does not: a save helper's words go to the relay that waits for them, if one
# does (waiting.py). A descriptor that is in use may be the stream of the move: then Python is started after all.
# A relay that ends before it said a word has read none of libxl's: its helper then has libxl for itself, unwatched.
DOOR: Final = b"""#!/bin/sh
spare=${XENWEB_PROBE_RUN:-/run/xenweb-probe}/spare
is_free() { ! [ -e /proc/self/fd/$1 ]; }
is_pipe() { [ -p /proc/self/fd/$1 ]; }
take() {
    [ -f "$spare/ready" ] && read -r number pid helper <"$spare/ready" && kill -0 "$pid" && [ -x "$helper" ] \\
        && is_pipe 0 && is_pipe 1 && is_free 6 && is_free 7 && is_free 8 && is_free 9 \\
        && [ -p "$spare/up.$number" ] && set -C && true >"$spare/taken.$number"
}
case "$1" in --save-domain|--restore-domain)
    if [ "$4" -ge 0 ] 2>/dev/null && take 2>/dev/null; then
        exec 6<>"$spare/down.$number" 7<>"$spare/up.$number" 8<&0 9>&1
        exec <"$spare/down.$number" >"$spare/up.$number" 6>&- 7>&-
        echo "$$ $*" 1<>"$spare/call.$number"
        read -r _ || exec <&8 >&9 8<&- 9>&-
        exec "$helper" "$@"
    fi ;;
esac
exec /usr/bin/python3 -I "$0" "$@"
"""
MOMENT: Final = (2020, 1, 1, 0, 0, 0)
"""One moment for all that is packed: the same sources make the same file."""

# Should anything at all be wrong with the probe, the move gets the helper that it would have had without it.
MAIN: Final = '''"""The file that libxl runs in its helper's place."""

import os
import sys

try:
    from xenweb_probe.entry import main
except BaseException:
    for each in ("/usr/lib/xen-4.17/bin", "/usr/lib/xen/bin", "/usr/libexec/xen/bin", "/usr/local/lib/xen/bin"):
        helper = each + "/libxl-save-helper"
        if sys.argv[1:2] and sys.argv[1].startswith("--") and os.access(helper, os.X_OK):
            os.execv(helper, [helper, *sys.argv[1:]])
    raise
sys.exit(main(sys.argv[1:]))
'''


def packed() -> bytes:
    """Answer the probe as one executable file; the same sources give the same bytes."""
    holding = io.BytesIO()
    with zipfile.ZipFile(holding, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry("__main__.py"), MAIN)
        for module in MODULES:
            text = (FOLDER / f"{module}.py").read_text(encoding="utf-8")
            archive.writestr(_entry(f"xenweb_probe/{module}.py"), text)
    return DOOR + holding.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, MOMENT)
