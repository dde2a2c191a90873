"""Faults that need no lab: full disks, clocks that jump, storms, broken histories, upgrades in mid-flight."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django_rq
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from tests.board import VM_UUID, Board, make_board
from tests.livemigration.test_drive import asked, in_a_thread, outcomes, until
from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import Copy, State
from xenweb.drivers.contract import Endpoint, HostUnreachableError, MoveOptions
from xenweb.drivers.registry import driver_for
from xenweb.inventory.models import Host
from xenweb.livemigration import services, transitions, watching
from xenweb.livemigration.doorbell import QUEUE
from xenweb.livemigration.drive import adopt, drive
from xenweb.livemigration.errors import NotPlaceableError
from xenweb.livemigration.models import Migration
from xenweb.livemigration.services import migration_request


@pytest.fixture
def board(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Board:
    """A small board; moves are driven by the tests themselves, and quickly."""
    del transactional_db
    monkeypatch.setattr(services, "enqueue", lambda _migration: None)
    for name, seconds in (("LOOK_EVERY", 0.01), ("ASK_HOSTS_EVERY", 0.02), ("PROVE_EVERY", 0.02), ("PROVE_FOR", 0.3)):
        monkeypatch.setattr(watching, name, seconds)
    return make_board(monkeypatch)


@contextmanager
def expired_host(folder: Path) -> Iterator[tuple[int, list[bytes]]]:
    """A host that answers with a certificate of yesterday; what it hears after that is collected."""
    make_certificates(folder, days_ago=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    heard: list[bytes] = []

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as encrypted:
                    heard.append(encrypted.recv(100))
            except OSError:
                heard.append(b"")  # hung up in the middle of the greeting

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], heard


def make_certificates(folder: Path, days_ago: int) -> None:
    """Write an authority that is trusted, and a host's certificate of it that ended some days ago."""
    now = datetime.now(UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("authority", "localhost")}
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    made: dict[str, bytes] = {}
    for name, key in keys.items():
        is_authority = name == "authority"
        made[name] = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=30) if is_authority else now - timedelta(days=days_ago))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(usage(signs=is_authority), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(keys["authority"], hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )
    private = keys["localhost"].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cacert.pem").write_bytes(made["authority"])
    (folder / "server.pem").write_bytes(made["localhost"] + private)


def usage(*, signs: bool) -> x509.KeyUsage:
    """Say what a key is for: signing certificates, or proving a host."""
    no = dict.fromkeys(("content_commitment", "data_encipherment", "key_agreement", "encipher_only"), False)
    return x509.KeyUsage(
        **no,
        decipher_only=False,
        crl_sign=signs,
        key_cert_sign=signs,
        digital_signature=not signs,
        key_encipherment=not signs,
    )


@pytest.mark.fault("F10", oracle="RQ's own queue: its timeout is -1")
def test_f10_the_queue_sets_no_timeout_to_a_move() -> None:
    assert django_rq.get_queue(QUEUE)._default_timeout == -1


@pytest.mark.fault("F16", oracle="the scripted hypervisor: it was never called")
def test_f16_without_room_for_the_intent_there_is_no_call(board: Board) -> None:
    row = asked(board)

    def full(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and "call_intended_at" in sql:
            raise OperationalError("database or disk is full")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(full), pytest.raises(OperationalError):
        drive(row.pk, "test")
    assert board.driver.calls == []
    adopt(row.pk, "reconciler")
    row.refresh_from_db()
    assert (row.state, row.failure_code) == (State.FAILED, "not_started")


@pytest.mark.fault("F44", oracle="the scripted hosts: the VM is on the target; the chain holds")
@pytest.mark.parametrize("hours", [-1, 1])
def test_f44_a_clock_that_jumps_in_mid_copy_decides_nothing(
    board: Board, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    driver = board.driver
    driver.on_call = driver.moves_to_target
    row = asked(board)
    thread = in_a_thread(drive, row.pk, "test")
    until(lambda: driver.calls == [row.pk])
    real = timezone.now
    monkeypatch.setattr(transitions.timezone, "now", lambda: real() + timedelta(hours=hours))
    driver.let_go.set()
    thread.join(10)
    row.refresh_from_db()
    assert row.state == State.DONE
    assert outcomes() == ["done"]
    assert verify() is None  # the history is ordered by its sequence, not by clocks


@pytest.mark.fault("F51", oracle="the server itself: the client hung up before it said a word")
def test_f51_a_host_whose_certificate_has_expired_is_refused_without_a_fallback(tmp_path: Path) -> None:
    with expired_host(tmp_path) as (port, heard):
        uri = f"qemu+tls://localhost:{port}/system?pkipath={tmp_path}"
        with pytest.raises(HostUnreachableError, match="certificate"):
            driver_for("libvirt").inventory(Endpoint(1, "host-x", uri))
        until(lambda: bool(heard))
    assert heard == [b""]


@pytest.mark.fault("F39", oracle="the scripted hypervisor: it was never called")
def test_f39_facts_that_have_grown_old_are_refused_until_they_are_fresh(board: Board) -> None:
    Host.objects.update(as_of=timezone.now() - timedelta(minutes=10))
    with pytest.raises(NotPlaceableError) as refused:
        asked(board)
    assert "facts_stale" in [finding.code for finding in refused.value.findings]
    board.look()
    row = asked(board)
    Host.objects.update(as_of=timezone.now() - timedelta(minutes=10))
    drive(row.pk, "test")  # they grew old while it waited
    row.refresh_from_db()
    assert (row.state, row.failure_code) == (State.FAILED, "facts_stale")
    assert board.driver.calls == []


@pytest.mark.fault("F54", oracle="the scripted hosts and the history: one outcome, one driver at a time")
def test_f54_of_two_reconcilers_one_adopts_a_move(board: Board) -> None:
    row = asked(board)
    Migration.objects.filter(pk=row.pk).update(state=State.PRE_COPY, call_intended_at=timezone.now())
    board.driver.busy = True
    first = in_a_thread(adopt, row.pk, "reconciler 1")
    until(lambda: Migration.objects.get(pk=row.pk).lease_owner == "reconciler 1")
    adopt(row.pk, "reconciler 2")  # comes back at once: the lease is taken
    assert Migration.objects.get(pk=row.pk).lease_owner == "reconciler 1"
    board.driver.busy = False
    first.join(10)
    assert outcomes() == ["failed"]


@pytest.mark.fault("F53", oracle="the rows: no move, no mark on the VM")
def test_f53_without_a_record_there_is_no_move(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_facts: object) -> None:
        msg = "the history cannot be written"
        raise DatabaseError(msg)

    monkeypatch.setattr(services, "record", fails)
    with pytest.raises(DatabaseError):
        migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=MoveOptions())
    assert not Migration.objects.exists()
    board.vm.refresh_from_db()
    assert board.vm.moving_as == ""


@pytest.mark.fault("F55", oracle="the scripted hosts: the VM is on the target; one outcome")
def test_f55_a_move_that_runs_during_an_upgrade_is_finished_by_the_new_version(board: Board) -> None:
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()
    executor.migrate([("livemigration", "0001_initial")])
    try:
        old = executor.loader.project_state([("livemigration", "0001_initial")]).apps
        old.get_model("livemigration", "Migration").objects.create(
            id="OLDMOVE1",
            vm_id=board.vm.pk,
            vm_name=board.vm.name,
            vm_uuid=VM_UUID,
            source_id=board.source.pk,
            source_name="host-a",
            target_id=board.target.pk,
            target_name="host-b",
            state="pre_copy",
            requested_by_id=board.admin.user_id,
            requested_by_name="admin",
            requested_at=timezone.now(),
            call_intended_at=timezone.now(),
        )
    finally:
        MigrationExecutor(connection).migrate(newest)
    board.driver.copies[("host-a", VM_UUID)] = Copy.ABSENT
    board.driver.copies[("host-b", VM_UUID)] = Copy.RUNNING
    adopt("OLDMOVE1", "reconciler")
    assert Migration.objects.get(pk="OLDMOVE1").state == State.DONE
    assert AuditRecord.objects.filter(action="migration_outcome", outcome="done").count() == 1
