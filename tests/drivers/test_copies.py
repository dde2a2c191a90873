"""What libvirt is told to do with a copy, and what it is never told."""

import libvirt
import pytest

from xenweb.drivers.contract import CopyAction, MoveRefusedError
from xenweb.drivers.libvirt_driver import levers


class FakeDomain:
    """A persistent domain in one state, that keeps what was done to it."""

    def __init__(self, state: int) -> None:
        self.now = state
        self.done: list[str] = []

    def state(self) -> list[int]:
        return [self.now, libvirt.VIR_DOMAIN_PAUSED_USER]

    def isPersistent(self) -> int:  # noqa: N802
        return 1

    def destroy(self) -> None:
        self.done.append("destroy")

    def undefine(self) -> None:
        self.done.append("undefine")


def test_a_paused_copy_is_removed_with_its_definition() -> None:
    domain = FakeDomain(libvirt.VIR_DOMAIN_PAUSED)
    levers.repair(domain, CopyAction.REMOVE_PAUSED, "host-a")
    assert domain.done == ["destroy", "undefine"]


def test_a_copy_that_goes_on_again_is_not_removed() -> None:
    domain = FakeDomain(libvirt.VIR_DOMAIN_RUNNING)
    with pytest.raises(MoveRefusedError):
        levers.repair(domain, CopyAction.REMOVE_PAUSED, "host-a")
    assert domain.done == []


def test_a_copy_that_somebody_paused_is_no_leftover_of_a_move() -> None:
    domain = FakeDomain(libvirt.VIR_DOMAIN_PAUSED)
    with pytest.raises(MoveRefusedError):
        levers.repair(domain, CopyAction.REMOVE, "host-a")
    assert domain.done == []
