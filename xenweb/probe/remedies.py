"""What can be done on a Xen host about a move that stands half-way. Each proves first that it may be done.

Whether it is right with regard to the other host is the caller's proof; what this host knows is proven here.
"""

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from .guests import Guest, Xen, XenError, waited

GOES_ON_WITHIN: Final = 5.0
HELD_AT_MOST: Final = 3.0
"""Seconds after which a guest that was held for libvirt's sake goes on by itself."""

RESTARTED_WITHIN: Final = 60.0
FAST: Final = 1
STORE_LIBRARY: Final = "libxenstore.so.4"


class RemedyRefusedError(Exception):
    """It is not done, and why."""


@dataclass(frozen=True)
class Helper:
    """A helper of Xen's that works: on the source it saves; ``is_whole`` says that all memory has been received."""

    pid: int
    saves: bool
    is_whole: bool


def one(xen: Xen, vm: str) -> Guest:
    """Answer the only copy of a VM on this host; raise RemedyRefusedError if there is none, or more."""
    found = xen.of(vm)
    if len(found) != 1:
        raise RemedyRefusedError(f"Xen has {len(found)} copies of this VM here, where one was expected.")
    return found[0]


def resume(xen: Xen, vm: str, let_go: Callable[[int], None]) -> None:
    """Let a guest go on that was suspended for a move that then failed."""
    guest = one(xen, vm)
    if not guest.is_suspended:
        raise RemedyRefusedError("Xen does not say that this guest was suspended: there is nothing to let go on.")
    if guest.hvm:
        raise RemedyRefusedError("Its device model would have to be let go on too, which this probe cannot do.")
    let_go(guest.number)
    if not waited(lambda: any(not each.shutdown for each in xen.of(vm)), GOES_ON_WITHIN):
        raise RemedyRefusedError("Xen was told to let it go on, and still says that it is suspended.")


def let_go_by_library(version: str) -> Callable[[int], None]:
    """Answer what lets a suspended guest go on, by Xen's own libraries; xl 4.17 has no command for it."""

    def let_go(number: int) -> None:
        try:
            control = ctypes.CDLL(f"libxenctrl.so.{version}")
            guest = ctypes.CDLL(f"libxenguest.so.{version}")
            store = ctypes.CDLL(STORE_LIBRARY)
        except OSError as error:
            raise XenError(f"Xen's libraries cannot be used here: {error}") from error
        control.xc_interface_open.restype = ctypes.c_void_p
        control.xc_interface_open.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint]
        control.xc_interface_close.argtypes = [ctypes.c_void_p]
        guest.xc_domain_resume.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int]
        handle = control.xc_interface_open(None, None, 0)
        if not handle:
            raise XenError("Xen takes no calls from here.")
        try:
            answer = guest.xc_domain_resume(handle, number, FAST)
        finally:
            control.xc_interface_close(handle)
        if answer != 0:
            raise XenError(f"Xen refused to let the guest go on ({answer}).")
        tell_store(store, number)

    return let_go


def tell_store(store: Any, number: int) -> None:
    """Have xenstored forget that a guest was suspended.

    It tells libxl of a suspension once: without this the next move would wait a minute for it, and fail.
    """
    store.xs_open.restype = ctypes.c_void_p
    store.xs_open.argtypes = [ctypes.c_ulong]
    store.xs_close.argtypes = [ctypes.c_void_p]
    store.xs_resume_domain.restype = ctypes.c_bool
    store.xs_resume_domain.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    handle = store.xs_open(0)
    if not handle:
        raise XenError("The guest goes on, and xenstored takes no calls: its next move would fail.")
    try:
        is_told = store.xs_resume_domain(handle, number)
    finally:
        store.xs_close(handle)
    if not is_told:
        raise XenError("The guest goes on, and xenstored did not take note of it: its next move would fail.")


def remove_half_built(xen: Xen, vm: str, *, is_received: Callable[[int], bool]) -> None:
    """Destroy a copy that stands still and never ran; nothing to do if there is none."""
    if not xen.of(vm):
        return
    guest = one(xen, vm)
    if is_received(guest.number):
        raise RemedyRefusedError("It is still being received.")
    if not guest.never_ran:
        raise RemedyRefusedError("It is not proven that this copy never ran: it is not destroyed.")
    # A copy whose receiving has just ended is taken away by libxl itself, perhaps at this very moment.
    why = "it does not say why"
    try:
        xen.run("destroy", str(guest.number))
    except XenError as error:
        why = str(error)
    if not waited(lambda: not [each for each in xen.of(vm) if not each.dying], GOES_ON_WITHIN):
        raise RemedyRefusedError(f"Xen was told to destroy it, and still has it: {why}")


def break_off(helper: Helper, guest: Guest | None) -> None:
    """End a helper that waits for a stream which stands still, or for room in it; raise RemedyRefusedError.

    On the target that is so before the memory is whole: what it has received then goes with it, and never ran. On the
    source the guest must be suspended: before that a move is given up, which stops no guest.
    """
    if helper.saves:
        if guest is None or not guest.is_suspended:
            raise RemedyRefusedError("The guest is not suspended: the move can be given up instead.")
        # Its own handler takes the stream away from it, so that it clears up after itself.
        os.kill(helper.pid, signal.SIGTERM)
    elif helper.is_whole:
        raise RemedyRefusedError("The memory is whole here: what becomes of this copy, libvirt decides at this moment.")
    elif guest is not None and not guest.never_ran:
        raise RemedyRefusedError("It is not proven that this copy never ran.")
    else:
        os.kill(helper.pid, signal.SIGKILL)


def restart_daemon(words: tuple[str, ...], *, is_busy: Callable[[], bool]) -> None:
    """Start libvirt's daemon anew, which forgets what a lost move left in it; its guests run on."""
    if is_busy():
        raise RemedyRefusedError("Another move is under way on this host: its daemon is not restarted now.")
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=RESTARTED_WITHIN, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise XenError(f"The daemon could not be restarted: {error}") from error
    if done.returncode != 0:
        raise XenError(f"The daemon could not be restarted: {done.stderr.strip()[:300]}")


def hold(xen: Xen, vm: str) -> None:
    """Pause a guest that runs while libvirt believes it to be paused, so that libvirt can let it go on.

    If nobody does within a few seconds it goes on by itself.
    """
    guest = one(xen, vm)
    if guest.paused or guest.shutdown or guest.dying:
        raise RemedyRefusedError("Xen says that this guest does not run: there is nothing to put right.")
    xen.run("pause", str(guest.number))

    def go_on() -> None:
        with suppress(XenError):
            if any(each.number == guest.number and each.paused for each in xen.of(vm)):
                xen.run("unpause", str(guest.number))

    threading.Timer(HELD_AT_MOST, go_on).start()
