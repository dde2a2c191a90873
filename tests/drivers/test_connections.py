"""A process forked from one that uses libvirt would take that one's answers away."""

import multiprocessing

import pytest

from xenweb.drivers.contract import DriverUnavailableError

pytest.importorskip("libvirt")

from xenweb.drivers.libvirt_driver.connections import LOOP


def _start_again(told: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        LOOP.ensure()
    except DriverUnavailableError as error:
        told.put(error.sentence)
    else:
        told.put("started")


def test_a_fork_of_a_process_that_uses_libvirt_is_refused() -> None:
    LOOP.ensure()
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    child = context.Process(target=_start_again, args=(told,))
    child.start()
    child.join(10)
    assert "before this process was forked" in told.get()


def test_starting_twice_in_one_process_is_one_start() -> None:
    LOOP.ensure()
    LOOP.ensure()
