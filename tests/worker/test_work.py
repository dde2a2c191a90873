"""A worker is found, and ended, by the command line that it was started with."""

from pathlib import Path

from xenweb.worker.management.commands.work import PlainWorker


def test_a_worker_leaves_its_command_line_alone_whatever_it_does() -> None:
    own = Path("/proc/self/cmdline")
    before = own.read_bytes()
    worker = object.__new__(PlainWorker)
    worker.name = "w"
    worker.procline("busy")
    assert own.read_bytes() == before
