"""The folder a lab lives in: ours, private, held by one running lab, and short enough for sockets."""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from xenweb.lab.errors import LabError, LabUnavailableError

SOCKET_PATH_LIMIT: Final = 107
MARK: Final = ".xenweb-lab"
HOLD_PATIENCE: Final = 2.0


def absolute(folder: Path) -> Path:
    """Return the absolute path of a folder; a link stays one, to be seen by ``claim``."""
    return Path(os.path.abspath(folder))  # noqa: PTH100


def check_path(folder: Path, longest_socket: str) -> None:
    """Raise LabUnavailableError when ``longest_socket`` below ``folder`` would have a name the kernel refuses."""
    longest = SOCKET_PATH_LIMIT - len(longest_socket)
    if len(os.fsencode(folder)) > longest:
        msg = f"The lab's folder {folder} is too long for QEMU's sockets: choose one of at most {longest} characters."
        raise LabUnavailableError(msg)


def hold(folder: Path) -> int:
    """Hold the folder for one running lab until the returned descriptor is closed; raise LabError if one holds it.

    Waits a moment, because a lab that was killed lets go only when its last process has ended.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + HOLD_PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                os.close(handle)
                msg = f"A lab that nobody remembers starting holds {folder}: end it, or choose another folder."
                raise LabError(msg) from error
            time.sleep(0.02)
        else:
            return handle


def claim(folder: Path) -> None:
    """Make ``folder`` ours and private; it is an absolute path.

    Raises LabError when it is somebody else's or holds something that is not a lab,
    because a lab removes what an earlier lab left behind.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"The lab's folder {folder} cannot be made: {error.strerror}."
        raise LabError(msg) from error
    seen = folder.lstat()
    if folder.is_symlink() or seen.st_uid != os.getuid():
        msg = f"The lab's folder {folder} is not ours: it is a link or belongs to another user."
        raise LabError(msg)
    if not (folder / MARK).exists():
        if any(folder.iterdir()):
            msg = f"The folder {folder} holds something that is not a lab: choose an empty one."
            raise LabError(msg)
        (folder / MARK).touch()
    folder.chmod(0o700)
