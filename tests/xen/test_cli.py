"""The words of the lab command for the Xen lab, without a lab that runs."""

import argparse
import json
from pathlib import Path

import pytest

from xenweb.lab.cli import add_arguments, run, table
from xenweb.lab.errors import LabError
from xenweb.lab.xen.lab import MachineStatus


def said(*words: str, folder: Path) -> str:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    lines: list[str] = []
    run(parser.parse_args([*words, "--folder", str(folder)]), lines.append)
    return "\n".join(lines)


def test_status_shows_every_machine_of_the_xen_lab_when_it_is_down(tmp_path: Path) -> None:
    shown = json.loads(said("status", "xen", "--json", folder=tmp_path / "x"))
    assert [(machine["name"], machine["power"], machine["daemon"]) for machine in shown] == [
        ("xen-1", "off", "stopped"),
        ("xen-2", "off", "stopped"),
        ("store", "off", "none"),
    ]
    assert said("down", "xen", folder=tmp_path / "x") == "No lab was running."


@pytest.mark.parametrize(
    "words", [("uri", "xen-1"), ("daemon", "xen-2", "kill"), ("run", "store", "true"), ("power", "xen-1", "on")]
)
def test_a_word_about_a_xen_machine_goes_to_the_xen_lab_which_says_that_it_is_down(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with pytest.raises(LabError, match=r"There is no Xen lab in .*: start it with `lab up xen`"):
        said(*words, folder=tmp_path / "x")


def test_a_link_needs_power(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="store has no power"):
        said("link", "store", "silent", folder=tmp_path / "x")


def test_links_of_the_xen_lab_have_no_rate(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be limited"):
        said("up", "xen", "--rate", "40mbit", folder=tmp_path / "x")
    with pytest.raises(SystemExit):
        said("rate", "xen-1", "40mbit", folder=tmp_path / "x")


def test_the_table_shows_where_guests_are() -> None:
    host = MachineStatus("xen-1", "on", "running", "silent", ("san-1",), ("idle-1",))
    assert table([host]).splitlines()[1] == "xen-1    on     running  silent  san-1 [idle-1]"
