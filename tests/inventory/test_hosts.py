"""Adding and removing hosts: by administrators, in allow-listed forms, and never during a move."""

import pytest
from django.conf import settings

from tests.board import Board
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import State
from xenweb.drivers.contract import MoveOptions
from xenweb.inventory.credentials import CredentialLostError, opened, seal
from xenweb.inventory.errors import (
    HostAddressRefusedError,
    HostBusyError,
    HostExistsError,
    HostForbiddenError,
)
from xenweb.inventory.models import Host, Pool
from xenweb.inventory.selectors import hosts_for, watched_endpoints
from xenweb.inventory.services import HostAddress, host_add, host_remove
from xenweb.livemigration.models import Migration
from xenweb.livemigration.selectors import takes_part
from xenweb.livemigration.services import migration_request


@pytest.fixture
def pool(board: Board) -> str:
    del board
    Pool.objects.create(name="rack", driver="libvirt")
    return "rack"


def test_an_administrator_adds_a_host_by_its_uri(board: Board, pool: str) -> None:
    wire = host_add(board.admin, pool=pool, where=HostAddress(uri="qemu+ssh://root@kvm-01/system"))
    assert wire.state == "unreachable"
    assert any(endpoint.host == wire.id for endpoint in watched_endpoints())


def test_an_administrator_adds_a_host_by_form_fields(board: Board, pool: str) -> None:
    where = HostAddress(hypervisor="xen", transport="ssh", address="xen-01", user="root")
    assert Host.objects.get(pk=host_add(board.admin, pool=pool, where=where).id).uri.startswith("xen+ssh://root@xen-01")


@pytest.mark.parametrize(
    "uri",
    [
        "qemu+ssh://h/system?command=/bin/sh",
        "qemu+ext://h/system",
        "test:///default",
        "file:///etc/passwd",
        "qemu+unix:///session?socket=/etc/shadow",
        "qemu+ssh://-oProxyCommand=x/system",
        "qemu+ssh://h/system?no_verify=1",
        "",
        "not a uri",
    ],
)
def test_other_forms_of_a_uri_are_refused(board: Board, pool: str, uri: str) -> None:
    with pytest.raises(HostAddressRefusedError):
        host_add(board.admin, pool=pool, where=HostAddress(uri=uri))
    assert not Host.objects.filter(pool__name=pool).exists()


def test_a_host_is_on_the_board_once(board: Board, pool: str) -> None:
    where = HostAddress(uri="qemu+ssh://kvm-01/system")
    host_add(board.admin, pool=pool, where=where)
    with pytest.raises(HostExistsError):
        host_add(board.admin, pool=pool, where=where)


def test_only_administrators_add_and_remove_hosts(board: Board, pool: str) -> None:
    for actor in (board.lead, board.auditor):
        with pytest.raises(HostForbiddenError):
            host_add(actor, pool=pool, where=HostAddress(uri="qemu+ssh://kvm-01/system"))
        with pytest.raises(HostForbiddenError):
            host_remove(actor, str(board.target.pk), takes_part=takes_part)
    assert AuditRecord.objects.filter(action="host_add", outcome="refused").count() == 2


def test_a_credential_is_sealed_and_opened_only_for_a_driver(board: Board, pool: str) -> None:
    wire = host_add(board.admin, pool=pool, where=HostAddress(uri="qemu+ssh://kvm-01/system"), credential="hunter2")
    stored = Host.objects.get(pk=wire.id)
    assert "hunter2" not in stored.credential
    assert "hunter2" not in wire.model_dump_json()
    (endpoint,) = (each for each in watched_endpoints() if each.host == wire.id)
    assert endpoint.secret == "hunter2"
    assert "hunter2" not in repr(endpoint)


def test_a_credential_without_its_key_is_said_to_be_lost(board: Board, settings: object) -> None:
    from cryptography.fernet import Fernet

    sealed = seal("hunter2")
    settings.XENWEB_CREDENTIAL_KEYS = [Fernet.generate_key().decode()]  # type: ignore[attr-defined]
    with pytest.raises(CredentialLostError):
        opened(sealed, "kvm-01")


def test_the_credential_key_lives_apart_from_the_secret_key() -> None:
    assert settings.SECRET_KEY not in settings.XENWEB_CREDENTIAL_KEYS


def test_a_removed_host_leaves_the_board(board: Board) -> None:
    host_remove(board.admin, str(board.target.pk), takes_part=takes_part)
    assert [host.name for host in hosts_for(board.admin)] == ["host-a"]


@pytest.mark.fault("F43", oracle="the rows: both hosts stay on the board until the move has ended")
@pytest.mark.parametrize("place", ["source", "target"])
def test_a_host_that_takes_part_in_a_move_stays_even_while_the_move_waits(board: Board, place: str) -> None:
    wire = migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=MoveOptions())
    host = str(getattr(board, place).pk)
    with pytest.raises(HostBusyError):
        host_remove(board.admin, host, takes_part=takes_part)
    Migration.objects.filter(pk=wire.id).update(state=State.PRE_COPY)
    with pytest.raises(HostBusyError):
        host_remove(board.admin, host, takes_part=takes_part)
    assert len(hosts_for(board.admin)) == 2
    Migration.objects.filter(pk=wire.id).update(state=State.DONE)
    host_remove(board.admin, host, takes_part=takes_part)
    assert len(hosts_for(board.admin)) == 1
