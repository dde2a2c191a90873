"""Probes of Xen hosts: noted with a key of their own, installed by a script, asked, and made to mend."""

import base64
import json
import re
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.board import Board, make_board
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy
from xenweb.drivers.contract import CopyAction, MoveRefusedError
from xenweb.inventory.models import Host
from xenweb.inventory.selectors import endpoint_of
from xenweb.probe.packing import packed
from xenweb.probe.recipe import PROGRAM, script

pytestmark = pytest.mark.django_db


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    board = make_board(monkeypatch)
    for host in (board.source, board.target):
        host.uri = f"xen+ssh://root@{host.name}/system"
        host.save()
    return board


def told(*words: str) -> str:
    out = StringIO()
    call_command("probe", *words, stdout=out)
    return out.getvalue()


def recorded(action: str) -> list[tuple[str, str]]:
    rows = AuditRecord.objects.filter(action=action).order_by("pk")
    return list(rows.values_list("outcome", "subject_name"))


def test_a_script_is_written_that_only_its_owner_reads_and_the_key_is_in_nothing_that_is_said(board: Board) -> None:
    said = told("install", "host-a")
    file = Path(settings.XENWEB_DATA) / "probe-host-a.sh"
    endpoint = endpoint_of(Host.objects.get(pk=board.source.pk))
    assert endpoint.probe == "host-a:16515"
    assert len(bytes.fromhex(endpoint.probe_key)) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert endpoint.probe_key in file.read_text()
    assert endpoint.probe_key not in said
    assert endpoint.probe_key not in Host.objects.get(pk=board.source.pk).probe_key
    kept = " ".join(str(each) for each in AuditRecord.objects.values_list("facts", "reason"))
    assert endpoint.probe_key not in kept
    assert recorded("probe_set")[0][0] == "allowed"


def test_each_install_makes_a_new_key(board: Board) -> None:
    keys = set()
    for _ in range(2):
        told("install", "host-a")
        keys.add(endpoint_of(Host.objects.get(pk=board.source.pk)).probe_key)
    assert len(keys) == 2


def test_over_ssh_the_key_is_no_argument(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], str]] = []

    def run(words: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
        calls.append((words, more["input"]))
        return subprocess.CompletedProcess(words, 0, "The probe runs.\n", "")

    monkeypatch.setattr("xenweb.inventory.management.commands.probe.subprocess.run", run)
    assert "The probe runs." in told("install", "host-a", "--ssh", "root@host-a", "--at", "10.0.0.1:999")
    [(words, given)] = calls
    key = endpoint_of(Host.objects.get(pk=board.source.pk)).probe_key
    assert key in given
    assert key not in " ".join(words)
    assert words[-1] == "sh -s"


def test_what_fails_over_ssh_is_told(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "This host is not one that the probe is made for.")
    monkeypatch.setattr("xenweb.inventory.management.commands.probe.subprocess.run", lambda *_, **__: failed)
    with pytest.raises(CommandError, match="not one that the probe is made for"):
        told("install", "host-a", "--ssh", "root@host-a")
    assert Host.objects.get(pk=board.source.pk).probe == ""
    with pytest.raises(CommandError, match="is no host"):
        told("install", "host-a", "--ssh=-oProxyCommand=x")


@pytest.mark.parametrize(
    ("code", "is_new", "said"),
    [
        (0, True, None),
        (2, True, None),
        (3, True, "what it says$"),
        (1, False, "what it says$"),
        (255, False, "not known"),
    ],
)
def test_the_new_key_is_noted_only_once_the_host_has_it(
    board: Board, monkeypatch: pytest.MonkeyPatch, code: int, is_new: bool, said: str | None
) -> None:
    told("install", "host-a")
    before = endpoint_of(Host.objects.get(pk=board.source.pk)).probe_key
    ended = subprocess.CompletedProcess([], code, "The probe runs.", "what it says")
    monkeypatch.setattr("xenweb.inventory.management.commands.probe.subprocess.run", lambda *_, **__: ended)
    if said is None:
        assert "The probe runs." in told("install", "host-a", "--ssh", "root@host-a")
    else:
        with pytest.raises(CommandError, match=said):
            told("install", "host-a", "--ssh", "root@host-a")
    assert (endpoint_of(Host.objects.get(pk=board.source.pk)).probe_key != before) is is_new


class ShellHost:
    """A host in a folder, on which the script is run by a real shell; ``check`` is what the probe says of its Xen."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tools = folder, folder / "tools"
        for each in ("tools", "etc/systemd/system", "usr/sbin"):
            (folder / each).mkdir(parents=True)
        self.checks(0)
        self.tool("systemctl", "exit 0")
        self.tool("pgrep", "exit 1")

    def tool(self, name: str, body: str) -> None:
        place = self.tools / name
        place.write_text(f"#!/bin/sh\n{body}\n")
        place.chmod(0o755)

    def checks(self, code: int) -> None:
        """What the check ends with, once it has seen the key that its configuration names."""
        find = """key=$(sed -n 's/.*"key_file": "\\(.*\\)".*/\\1/p' "$XENWEB_PROBE_CONFIG")"""
        ours = '[ "$2" = - ] && exec /usr/bin/python3 "$@"'  # what the script itself has to say to Python
        self.tool("python3", f'{ours}\n{find}\n[ -s "$key" ] && exit {code}; exit 9')

    def install(self, key: str) -> subprocess.CompletedProcess[str]:
        text = script(key)
        for there, here in (("/usr/bin/python3", "tools/python3"), ("/usr/sbin/", "usr/sbin/"), ("/etc/", "etc/")):
            text = text.replace(there, f"{self.folder}/{here}")
        words = {"PATH": f"{self.tools}:/usr/bin:/bin"}
        return subprocess.run(["sh", "-s"], input=text, env=words, capture_output=True, text=True, check=False)

    def has(self) -> dict[str, str]:
        files = (*self.folder.glob("etc/xenweb-probe/*"), *self.folder.glob("usr/sbin/*"))
        return {each.name: each.read_text(errors="replace") for each in files}


def test_a_probe_that_is_refused_leaves_the_one_before_with_its_key(tmp_path: Path) -> None:
    host = ShellHost(tmp_path)
    assert host.install("aa" * 32).returncode == 0
    before = host.has()
    assert set(before) == {"key", "config.json", "xenweb-probe"}
    assert before["key"] == "aa" * 32 + "\n"
    assert "key.new" not in before["config.json"]
    host.checks(1)
    done = host.install("bb" * 32)
    assert (done.returncode, "Nothing of this host was changed." in done.stderr) == (1, True)
    assert host.has() == before


def test_what_somebody_has_set_on_a_host_stays_set(tmp_path: Path) -> None:
    host = ShellHost(tmp_path)
    host.install("aa" * 32)
    config = tmp_path / "etc/xenweb-probe/config.json"
    said = json.loads(config.read_text())
    config.write_text(json.dumps(said | {"measures_changes": False, "port": 1}))
    assert host.install("bb" * 32).returncode == 0
    assert json.loads(config.read_text()) == said | {"measures_changes": False}
    config.write_text("no JSON")
    assert host.install("cc" * 32).returncode == 0
    assert json.loads(config.read_text()) == said


def test_the_end_of_the_script_says_what_the_host_has(tmp_path: Path) -> None:
    host = ShellHost(tmp_path)
    host.tool("pgrep", "exit 0")
    done = host.install("aa" * 32)
    assert (done.returncode, "A move is under way" in done.stdout) == (2, True)
    host.tool("systemctl", '[ "$1" != restart ]')
    done = host.install("bb" * 32)
    assert (done.returncode, "starting it has failed" in done.stderr) == (3, True)
    assert host.has()["key"] == "bb" * 32 + "\n"


@pytest.mark.parametrize("place", ["host-a", "host-a:0", "host-a:99999", "a b:1", "host-a:1;reboot", ":1"])
def test_an_odd_place_is_refused_and_recorded(board: Board, place: str) -> None:
    with pytest.raises(CommandError):
        told("install", "host-a", "--at", place)
    assert recorded("probe_set")[0][0] == "refused"
    assert Host.objects.get(pk=board.source.pk).probe == ""


def test_a_host_of_another_hypervisor_needs_no_probe(board: Board) -> None:
    Host.objects.filter(pk=board.source.pk).update(uri="qemu+ssh://host-a/system")
    with pytest.raises(CommandError, match="no Xen host"):
        told("install", "host-a")


def test_the_status_says_which_probes_answer(board: Board) -> None:
    told("install", "host-a")
    lines = told("status").splitlines()
    assert lines[0].startswith("host-a  host-a:16515")
    assert lines[1] == "host-b  -  none is installed"


def test_a_probe_is_forgotten(board: Board) -> None:
    told("install", "host-a")
    told("forget", "host-a")
    assert Host.objects.get(pk=board.source.pk).probe_key == ""
    assert recorded("probe_unset")[0][0] == "allowed"


def test_what_is_mended_is_recorded_with_its_outcome(board: Board) -> None:
    told("mend", "host-b", board.vm.uuid, "remove")
    assert board.driver.repairs == [("host-b", CopyAction.REMOVE)]
    assert [outcome for outcome, _ in recorded("probe_mend")] == ["allowed", "done"]
    board.driver.repair_error = MoveRefusedError("It is not proven that this copy never ran: it is not destroyed.")
    with pytest.raises(CommandError, match="never ran"):
        told("mend", "host-b", board.vm.uuid, "remove")
    assert recorded("probe_mend")[-1][0] == "failed"


def test_nothing_is_mended_that_was_not_named(board: Board) -> None:
    with pytest.raises(CommandError, match="Say what is to be done: correct, remove, resume"):
        told("mend", "host-a", board.vm.uuid)
    assert board.driver.repairs == []


@pytest.mark.parametrize("own", [Copy.INCOMING, Copy.PAUSED, Copy.RUNNING])
@pytest.mark.parametrize("other", [Copy.ABSENT, Copy.INCOMING, Copy.NEVER_RAN, Copy.NO_ANSWER])
def test_a_copy_is_removed_only_while_another_host_proves_that_the_vm_runs_there(
    board: Board, own: Copy, other: Copy
) -> None:
    here, there = ("host-a", board.vm.uuid), ("host-b", board.vm.uuid)
    board.driver.copies.update({here: own, there: other})
    with pytest.raises(CommandError, match="may be the only one"):
        told("mend", "host-a", board.vm.uuid, "remove")
    board.driver.copies[there] = Copy.RUNNING
    board.driver.unproven_hosts = {"host-b"}
    with pytest.raises(CommandError, match="may be the only one"):
        told("mend", "host-a", board.vm.uuid, "remove")
    assert board.driver.repairs == []
    assert [outcome for outcome, _ in recorded("probe_mend")] == ["allowed", "failed"] * 2
    board.driver.unproven_hosts = set()
    told("mend", "host-a", board.vm.uuid, "remove")
    assert board.driver.repairs == [("host-a", CopyAction.REMOVE)]


def test_a_copy_that_xen_proves_never_ran_is_removed_whatever_the_others_have(board: Board) -> None:
    board.driver.copies.update({("host-a", board.vm.uuid): Copy.INCOMING, ("host-b", board.vm.uuid): Copy.NEVER_RAN})
    told("mend", "host-b", board.vm.uuid, "remove")
    assert board.driver.repairs == [("host-b", CopyAction.REMOVE)]


@pytest.mark.parametrize("copy", [Copy.RUNNING, Copy.PAUSED, Copy.INCOMING, Copy.NEVER_RAN])
def test_nothing_is_let_go_on_while_another_host_may_have_a_copy(board: Board, copy: Copy) -> None:
    board.driver.copies[("host-b", board.vm.uuid)] = copy
    with pytest.raises(CommandError, match="host-b does not prove"):
        told("mend", "host-a", board.vm.uuid, "resume")
    assert board.driver.repairs == []
    board.driver.copies[("host-b", board.vm.uuid)] = Copy.ABSENT
    told("mend", "host-a", board.vm.uuid, "resume")
    assert board.driver.repairs == [("host-a", CopyAction.RESUME)]


def test_nothing_is_let_go_on_by_the_word_of_a_daemon_that_may_be_wrong(board: Board) -> None:
    board.driver.unproven_hosts = {"host-b"}
    with pytest.raises(CommandError, match="by libvirt's word alone"):
        told("mend", "host-a", board.vm.uuid, "resume")
    assert board.driver.repairs == []


def test_a_host_out_of_service_is_asked_as_well_before_a_copy_is_let_go_on(board: Board) -> None:
    Host.objects.filter(pk=board.target.pk).update(enabled=False)
    board.driver.copies[("host-b", board.vm.uuid)] = Copy.RUNNING
    with pytest.raises(CommandError, match="host-b does not prove"):
        told("mend", "host-a", board.vm.uuid, "resume")
    assert board.driver.repairs == []


def test_the_script_is_one_that_a_shell_reads_and_holds_the_whole_probe() -> None:
    text = script("ab" * 32, address="10.0.0.1")
    assert subprocess.run(["sh", "-n"], input=text, text=True).returncode == 0
    held = re.search(r"<<'PROBE'\n(.*?)\nPROBE\n", text, re.DOTALL)
    assert held is not None
    assert base64.b64decode(held[1]) == packed()


def test_the_script_changes_nothing_of_a_host_that_the_probe_is_not_made_for() -> None:
    text = script("ab" * 32)
    refused = text.index("check; then")
    assert refused < text.index("systemctl daemon-reload")
    assert refused < text.index("LIBXL_SAVE_HELPER")


def test_the_program_lies_where_libvirts_own_confinement_lets_it_be_started() -> None:
    # Debian's and Ubuntu's AppArmor profile of libvirtd has "/usr/sbin/* PUx", and nothing for /usr/local.
    assert Path(PROGRAM).parent == Path("/usr/sbin")
