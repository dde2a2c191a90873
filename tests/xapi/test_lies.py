"""A server that lies, is silent, or drowns us: each is a clear finding, and never a success."""

import ssl
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.xapi.liar import Liar, Say
from tests.xapi.moving import SLOW, calling, plan, proof, until, until_moving
from tests.xapi.process import Pools, prefix_of_this_process
from xenweb.core.facts import PowerState
from xenweb.core.migration import Conclusion, Copy, conclude
from xenweb.core.placement import Severity
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import HostEvent, HostUnreachableError, MoveBrokenError, MoveRefusedError, Phase
from xenweb.drivers.xapi_driver import transport
from xenweb.drivers.xapi_driver.driver import XapiDriver
from xenweb.drivers.xapi_driver.errors import AnswerUnreadableError, CertificateRefusedError, LoginRefusedError
from xenweb.drivers.xapi_driver.pools import Pool
from xenweb.drivers.xapi_driver.session import Session
from xenweb.drivers.xapi_driver.transport import PinnedTransport


@contextmanager
def liar(folder: Path, say: Say) -> Iterator[Liar]:
    host = Liar(folder, prefix_of_this_process(1) + ".1", say)
    try:
        yield host
    finally:
        host.close()


@pytest.mark.fault("F52", oracle="the VM's residence as the pool's own records have it, read past the XenAPI")
def test_a_task_that_succeeds_while_the_vm_did_not_move_is_no_success(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", lie=True)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with pytest.raises(MoveBrokenError, match=r"says that the move succeeded, but web-1 is not on host-b"):
        driver.migrate(planned)
    assert conclude(proof(driver, planned)) is Conclusion.ON_SOURCE
    assert xapi.do("residence", vm="web-1") == "host-a"


def test_a_late_failure_leaves_the_vm_halted_and_that_is_what_both_hosts_say(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", fail_late="web-1")
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with pytest.raises(MoveBrokenError, match=r"own software failed") as caught:
        driver.migrate(planned)
    assert caught.value.facts["xapi_code"] == "INTERNAL_ERROR"
    assert conclude(proof(driver, planned)) is Conclusion.STOPPED
    assert xapi.do("tell", **{"class": "VM", "name": "web-1"})["power_state"] == "Halted"


@pytest.mark.parametrize("field", ["power_state", "resident_on"])
def test_a_vm_without_a_field_that_says_where_it_is_is_nowhere_by_our_word(
    xapi: Pools, driver: XapiDriver, field: str
) -> None:
    planned = plan(xapi, "web-1", "host-a", "host-b")
    xapi.do("set", missing_fields=[field])
    assert driver.locate(planned.source, planned.vm_uuid).copy is Copy.NO_ANSWER
    assert driver.locate(planned.target, planned.vm_uuid).copy is Copy.NO_ANSWER


def test_fields_that_are_only_nice_to_have_may_be_missing(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do(
        "set", missing_fields=["tags", "other_config", "software_version", "cpu_info", "blocked_operations", "affinity"]
    )
    snapshot = driver.inventory(xapi.endpoint("host-a"))
    assert {"web-1", "hot-db"} <= {vm.name for vm in snapshot.vms}
    assert snapshot.cpu_count == 0


def test_a_host_that_does_not_say_its_memory_is_not_read_as_empty(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", missing_fields=["memory_total"])
    with pytest.raises(AnswerUnreadableError, match=r"how much memory"):
        driver.inventory(xapi.endpoint("host-a"))


@pytest.mark.parametrize("count", ["\u00b2", "\u0664", "", "-4", "9" * 5000])
def test_a_number_that_only_looks_like_one_is_none(
    xapi: Pools, driver: XapiDriver, monkeypatch: pytest.MonkeyPatch, count: str
) -> None:
    xapi.do("field", **{"class": "host", "name": "host-a", "field": "cpu_info", "value": {"cpu_count": count}})
    snapshot = driver.inventory(xapi.endpoint("host-a"))
    assert snapshot.cpu_count == 0
    asked = Pool.call
    monkeypatch.setattr(
        Pool, "call", lambda self, name, *rest, **how: count if "free" in name else asked(self, name, *rest, **how)
    )
    assert driver.inventory(xapi.endpoint("host-a")).memory_free is None
    assert driver.preflight(plan(xapi, "web-1", "host-b", "host-a")).findings is not None


def test_a_state_that_we_do_not_know_is_unknown_and_proves_nothing(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("field", **{"class": "VM", "name": "web-1", "field": "power_state", "value": "Hibernating"})
    planned = plan(xapi, "web-1", "host-a", "host-b")
    assert driver.locate(planned.source, planned.vm_uuid).copy is Copy.NO_ANSWER
    vms = [vm for host in ("host-a", "host-b", "host-c") for vm in driver.inventory(xapi.endpoint(host)).vms]
    assert [vm.state for vm in vms if vm.name == "web-1"] == [PowerState.UNKNOWN]
    with pytest.raises(MoveRefusedError):
        driver.migrate(planned)


def test_a_task_in_a_state_that_we_do_not_know_is_no_end_and_the_move_is_followed_on(
    xapi: Pools, driver: XapiDriver
) -> None:
    xapi.do("set", link=SLOW)
    planned = plan(xapi, "hot-db", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        [task] = xapi.do("tell", **{"class": "VM", "name": "hot-db"})["current_operations"]
        xapi.do("field", **{"class": "task", "name": task, "field": "status", "value": "dozing"})
        assert driver.progress(planned).phase is Phase.COPYING
        assert (call.is_done, call.error) == (False, None)
    assert call.is_done
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET


def test_a_pool_without_events_is_looked_at_all_the_same(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", unknown=["event.from"])
    endpoint, heard = xapi.endpoint("host-a", 1), list[HostEvent]()
    watch = driver.watch(endpoint, heard.append)
    planned = plan(xapi, "dns-1", "host-a", "host-b")
    driver.migrate(planned)
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
    assert "dns-1" not in {vm.name for vm in driver.inventory(endpoint).vms}
    until(lambda: bool(heard), 5)
    watch.close()


def test_a_huge_answer_is_refused_before_it_is_read(xapi: Pools, driver: XapiDriver) -> None:
    endpoint = xapi.endpoint("host-a")
    driver.inventory(endpoint)
    xapi.do("set", padding=40 * MIB)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    tracemalloc.start()
    try:
        assert driver.locate(endpoint, planned.vm_uuid).copy is Copy.NO_ANSWER
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB
    blockers = [each for each in driver.preflight(planned).findings if each.severity is Severity.BLOCKER]
    assert any("more than 32 MiB" in each.sentence for each in blockers)


def test_an_endless_answer_is_cut_off(tmp_path: Path, driver: XapiDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENWEB_XAPI_LAB", "1")
    monkeypatch.setattr(transport, "MOST_BYTES", MIB)

    def endless(peer: ssl.SSLSocket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
        while True:
            peer.sendall(b"x" * 65536)

    with liar(tmp_path, endless) as host, pytest.raises(AnswerUnreadableError, match=r"more than 1 MiB"):
        driver.inventory(host.endpoint)


def test_endless_records_are_cut_off_and_none_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_STREAMED", 8 * MIB)

    def endless(peer: ssl.SSLSocket) -> None:
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"result": {"0": {}')
        number = 0
        while number := number + 1:
            peer.sendall(b"".join(b', "%d.%d": {"junk": "%s"}' % (number, each, b"x" * 900) for each in range(100)))

    with liar(tmp_path, endless) as host:
        session = Session(PinnedTransport(host.address, host.port, frozenset({host.pin})))
        tracemalloc.start()
        try:
            with pytest.raises(AnswerUnreadableError, match=r"more than 8 MiB"):
                session.records("VM", {"uuid"})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 8 * MIB


def test_records_that_drip_are_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xenweb.drivers.xapi_driver.session.ALL_WITHIN", 1.0)

    def drip(peer: ssl.SSLSocket) -> None:
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"result": {')
        while True:
            peer.sendall(b" ")
            time.sleep(0.1)

    began = time.monotonic()
    with liar(tmp_path, drip) as host, pytest.raises(HostUnreachableError, match=r"did not answer in time"):
        Session(PinnedTransport(host.address, host.port, frozenset({host.pin}))).records("VM", {"uuid"})
    assert time.monotonic() - began < 5


def test_a_pool_that_does_not_speak_json_is_read_in_xml(
    xapi: Pools, driver: XapiDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xenweb.drivers.xapi_driver.session.JSON", ("/there-is-none", "application/json"))
    assert {"web-1", "hot-db"} <= {vm.name for vm in driver.inventory(xapi.endpoint("host-a")).vms}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno <xml> ", r"no XML-RPC"),
        (b"HTTP/1.1 500 Internal Error\r\nContent-Length: 2\r\n\r\nno", r"HTTP 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<?xml", r"does not answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n<?xml", r"a length that is no number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n<?xml", r"a length that is no number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n<?xml", r"a length that is no number"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", r"does not answer"),
        (b"", r"does not answer"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(
    tmp_path: Path, driver: XapiDriver, monkeypatch: pytest.MonkeyPatch, said: bytes, words: str
) -> None:
    monkeypatch.setenv("XENWEB_XAPI_LAB", "1")
    with liar(tmp_path, lambda peer: peer.sendall(said)) as host, pytest.raises(HostUnreachableError, match=words):
        driver.inventory(host.endpoint)


@pytest.mark.fault("F50", oracle="the clock: the question was given up in time")
@pytest.mark.parametrize("is_dripping", [True, False])
def test_a_host_that_drips_bytes_or_says_nothing_is_given_up_in_time(
    tmp_path: Path, driver: XapiDriver, monkeypatch: pytest.MonkeyPatch, is_dripping: bool
) -> None:
    monkeypatch.setenv("XENWEB_XAPI_LAB", "1")
    monkeypatch.setattr("xenweb.drivers.xapi_driver.pools.PING_WITHIN", 1.0)

    def drip(peer: ssl.SSLSocket) -> None:
        while True:
            peer.sendall(b"H" if is_dripping else b"")
            time.sleep(0.1)

    began = time.monotonic()
    with liar(tmp_path, drip) as host, pytest.raises(HostUnreachableError, match=r"liar .*answer"):
        driver.inventory(host.endpoint)
    assert time.monotonic() - began < 3


def test_an_unknown_certificate_is_named_by_its_fingerprint(xapi: Pools, driver: XapiDriver) -> None:
    endpoint = xapi.endpoint("host-a", pins="0" * 64)
    with pytest.raises(CertificateRefusedError) as caught:
        driver.inventory(endpoint)
    assert xapi.about["hosts"]["host-a"]["sha256"] in caught.value.sentence
    with pytest.raises(CertificateRefusedError, match=r"No certificate is trusted for host-a yet"):
        driver.inventory(xapi.endpoint("host-a", pins=""))


def test_a_certificate_that_was_changed_meanwhile_is_refused(xapi: Pools, driver: XapiDriver) -> None:
    endpoint = xapi.endpoint("host-b")
    driver.inventory(endpoint)
    xapi.do("certificate", host="host-b")
    with pytest.raises(CertificateRefusedError, match=r"host-b shows a certificate that is none of those trusted"):
        driver.inventory(endpoint)
    assert driver.locate(endpoint, "no-matter").copy is Copy.NO_ANSWER


@pytest.mark.fault("F51", oracle="the certificate's own end, as it was written into it")
def test_an_expired_certificate_is_refused_although_it_is_the_right_one(xapi: Pools, driver: XapiDriver) -> None:
    pin = xapi.do("certificate", host="host-b", expired=True)
    with pytest.raises(CertificateRefusedError, match=r"not valid any more: it ended on"):
        driver.inventory(xapi.endpoint("host-b", pins=pin))


def test_a_wrong_password_is_said_to_be_one_and_is_never_repeated(xapi: Pools, driver: XapiDriver) -> None:
    endpoint = xapi.endpoint("host-a", user="nobody")
    with pytest.raises(LoginRefusedError, match=r"takes neither nobody nor the password") as caught:
        driver.inventory(endpoint)
    assert endpoint.secret not in caught.value.sentence


def test_a_reader_is_told_that_the_account_lacks_the_role(xapi: Pools, driver: XapiDriver) -> None:
    planned = plan(xapi, "web-1", "host-a", "host-b", user="reader")
    with pytest.raises(MoveRefusedError, match=r"lacks the permission vm\.pool_migrate"):
        driver.migrate(planned)


def test_a_mover_that_may_not_mark_tasks_moves_all_the_same(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", link=SLOW)
    planned = plan(xapi, "web-1", "host-a", "host-b", user="mover")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        assert XapiDriver().progress(planned).phase.value == "copying", "another process finds the move by its VM"
    assert call.is_done


def test_a_lost_answer_to_the_call_is_not_asked_again_and_the_move_goes_on(xapi: Pools, driver: XapiDriver) -> None:
    xapi.do("set", link=SLOW)
    xapi.do("drop", method="Async.VM.pool_migrate")
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        until_moving(driver, planned)
        assert conclude(proof(driver, planned)) is Conclusion.STILL_MOVING
    assert call.is_done, "its task was found by what the VM says"
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET
    assert len(xapi.do("messages", name="VM_MIGRATED")) == 1


def test_a_slow_pool_is_slow_and_not_dead(xapi: Pools, driver: XapiDriver) -> None:
    planned = plan(xapi, "dns-1", "host-a", "host-b")
    driver.inventory(planned.source)
    xapi.do("set", answers_after=0.06)
    driver.migrate(planned)
    assert conclude(proof(driver, planned)) is Conclusion.ON_TARGET


def test_a_call_that_was_never_begun_is_told_as_unreachable_and_undecided_until_then(
    xapi: Pools, driver: XapiDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xenweb.drivers.xapi_driver.moving.SHOWN_WITHIN", 1.5)
    xapi.do("drop", method="Async.VM.pool_migrate", before=True)
    planned = plan(xapi, "web-1", "host-a", "host-b")
    with calling(driver, planned) as call:
        time.sleep(0.7)
        assert proof(driver, planned).busy, "as long as a task may show, nothing is decided"
    assert isinstance(call.error, HostUnreachableError)
    assert conclude(proof(driver, planned)) is Conclusion.ON_SOURCE
    assert xapi.do("messages", name="VM_MIGRATED") == []
