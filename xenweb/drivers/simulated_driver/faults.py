"""What can go wrong in a simulated world, and how a test makes it so."""

import time
from pathlib import Path

from xenweb.drivers.simulated_driver.world import Clock, opened


def set_silent(path: Path, host: str, *, is_silent: bool) -> None:
    """Make a host answer nothing, or answer again. Its VMs and its moves go on."""
    with opened(path) as world:
        world.hosts[host].is_silent = is_silent
        world.version += 1


def freeze(path: Path, host: str, clock: Clock = time.time) -> None:
    """Let a host receive nothing more: a move to it stands still, and cancelling does not end it."""
    with opened(path, clock) as world:
        world.hosts[host].frozen_at = clock()


def thaw(path: Path, host: str, clock: Clock = time.time) -> None:
    """Let a frozen host receive again; what stood still goes on where it stood."""
    with opened(path, clock) as world:
        frozen_at, world.hosts[host].frozen_at = world.hosts[host].frozen_at, None
        for move in world.moves.values():
            if frozen_at is not None and move.target == host and not move.ending:
                move.stalled += clock() - max(frozen_at, move.began)
        world.catch_up(clock())


def break_in_pass(path: Path, pass_number: int | None) -> None:
    """Let every move break when a pass begins; None for no more."""
    with opened(path) as world:
        world.break_in_pass = pass_number


def lose_replies(path: Path, *, loses: bool = True) -> None:
    """Let a move succeed without its caller hearing so."""
    with opened(path) as world:
        world.loses_replies = loses


def forget_moves(path: Path, clock: Clock = time.time) -> None:
    """Let whoever knows of the moves forget them, as a pool master that fails over: they go on all the same."""
    with opened(path, clock) as world:
        world.forgets_moves = True
        world.version += 1


def set_running(path: Path, vm: str, *, is_running: bool, clock: Clock = time.time) -> None:
    """Let somebody halt a VM of this name with other tools, or start it."""
    with opened(path, clock) as world:
        for each in world.vms.values():
            if each.name == vm:
                each.state, each.started = "running" if is_running else "halted", clock()
        world.version += 1


def guards_stand(path: Path, seconds: float | None, clock: Clock = time.time) -> None:
    """Let the guards stand where so many seconds of their work bring them; None lets them go on from there."""
    with opened(path, clock) as world:
        stood = world.guards_stand
        if stood is not None and seconds is None:
            for guard in world.guards.values():
                guard.began, guard.back_at = clock() - stood, None if guard.back_at is None else clock() - stood
        world.guards_stand = seconds
        world.version += 1
