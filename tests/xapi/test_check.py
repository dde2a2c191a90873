"""The look at a real pool that changes nothing, here at the simulated ones."""

import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.xapi.process import PASSWORD, Pools
from xenweb.drivers import xapi_driver
from xenweb.drivers.xapi_driver.report import CALLS, MOVE_RIGHTS, SWITCH_RIGHTS

DRIVER = Path(xapi_driver.__file__).parent


@pytest.fixture(autouse=True)
def _password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    monkeypatch.setenv("XENWEB_XAPI_PASSWORD_FILE", str(path))


def check(url: str) -> tuple[str, str]:
    out, failed = StringIO(), ""
    try:
        call_command("xapi_check", url, stdout=out)
    except CommandError as error:
        failed = str(error)
    return out.getvalue(), failed


def test_a_pool_as_expected_has_no_faults_and_is_not_changed(xapi: Pools) -> None:
    before, sessions = xapi.do("generation"), xapi.do("sessions")
    said, failed = check(xapi.endpoint("host-a").uri)
    assert failed == ""
    assert f"calls: {len(CALLS)} of the {len(CALLS)} that we make are there" in said
    assert f"host host-a: the host asked, uuid {xapi.uuid('host-a')}" in said
    assert "everything that the driver needs is there" in said
    assert PASSWORD not in said
    assert xapi.do("sessions") == sessions, "its session is ended"
    assert xapi.do("generation") == before + 2, "one session was made and ended, and nothing else was changed"


def test_each_call_that_the_driver_makes_is_asked_for() -> None:
    sources = "".join(each.read_text() for each in DRIVER.glob("*.py") if each.name != "report.py")
    made = set(re.findall(r'"((?:Async\.)?[A-Za-z_]+\.[a-z_]+)"', sources))
    made |= {f"{kind}.get_record" for kind in re.findall(r'\.record\("(\w+)"', sources)}
    made |= {f"{kind}.get_by_uuid" for kind in re.findall(r'by_uuid\("(\w+)"', sources)}
    assert made >= {"host.disable", "Async.VDI.pool_migrate", "VM.get_by_uuid"}, "calls are found in the sources"
    assert made <= set(CALLS)


def test_what_is_missing_is_told_by_name(xapi: Pools) -> None:
    xapi.do("set", missing_fields=["scheduled_to_be_resident_on"])
    xapi.do("field", **{"class": "VM", "name": "web-1", "field": "power_state", "value": "Hibernating"})
    said, failed = check(xapi.endpoint("host-a").uri)
    assert failed == "2 faults"
    assert "FAULT VM.scheduled_to_be_resident_on is missing" in said
    assert "FAULT power state Hibernating is unknown to us" in said


def test_a_reader_is_told_that_the_account_cannot_move(xapi: Pools) -> None:
    said, failed = check(xapi.endpoint("host-a", user="reader").uri)
    assert failed == "7 faults"
    for right in (*MOVE_RIGHTS, *SWITCH_RIGHTS):
        assert f"FAULT right {right} is not given to our account" in said


def test_without_a_trusted_certificate_the_fingerprint_is_shown_and_no_password_sent(xapi: Pools) -> None:
    before = xapi.do("sessions")["green"]
    said, failed = check(xapi.endpoint("host-a", pins="").uri)
    assert failed == "1 faults"
    assert xapi.about["hosts"]["host-a"]["sha256"] in said
    assert xapi.do("sessions")["green"] == before


def test_a_password_is_no_argument(xapi: Pools) -> None:
    with pytest.raises(CommandError):
        call_command("xapi_check", xapi.endpoint("host-a").uri, "secret")
    _, failed = check("xapi://root:secret@host-a/")
    assert "holds a password" in failed
