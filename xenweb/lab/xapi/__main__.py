"""Run two simulated pools until ended: ``python -m xenweb.lab.xapi FOLDER [PREFIX [LABEL [HOSTS VMS]]]``.

With HOSTS and VMS the first pool has so many more of both.

Users and passwords come from the file ``users.json`` in the folder: ``{name: [password, role]}``. When all
hosts listen, ``ready.json`` says where, with their certificates' fingerprints.
"""

import json
import os
import stat
import sys
import threading
from pathlib import Path

from xenweb.lab.xapi.control import Door, serve
from xenweb.lab.xapi.crowd import Crowd
from xenweb.lab.xapi.dispatch import Site
from xenweb.lab.xapi.server import Hosts

DEFAULT_PREFIX = "127.20.0"


def main(folder: Path, prefix: str = DEFAULT_PREFIX, label: str = "", hosts: str = "0", vms: str = "0") -> None:
    """Run until ended."""
    users = {name: (each[0], each[1]) for name, each in json.loads((folder / "users.json").read_text()).items()}
    site = Site(prefix, users, label, Crowd(int(hosts), int(vms)))
    door = Door(site, Hosts(site, 0, folder))
    draft = folder / f"ready.{os.getpid()}"
    draft.write_text(json.dumps(door.do({"do": "about"})))
    socket = folder / "control.sock"
    socket.unlink(missing_ok=True)
    draft.replace(folder / "ready.json")
    serve(socket, door)


def end_with_parent() -> None:
    """End when whoever started this process is gone: its end of the pipe is closed then, however it died."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, name="parent", daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    main(Path(sys.argv[1]), *sys.argv[2:6])
