"""A host is added by its parts: its certificates are looked at, confirmed, and only then anything secret is said."""

import json
from dataclasses import replace

import pytest

from tests.board import person
from tests.xapi.process import PASSWORD, Pools
from xenweb.accounts.policy import Actor, Role
from xenweb.audit.models import AuditRecord
from xenweb.drivers import registry
from xenweb.drivers.contract import AddressRefusedError, HostUnreachableError, NotSupportedError
from xenweb.drivers.registry import certificates_at
from xenweb.inventory.errors import HostAddressRefusedError, HostForbiddenError
from xenweb.inventory.models import Host
from xenweb.inventory.selectors import endpoint_of
from xenweb.inventory.services import HostAddress, certificates_look, host_add, pool_ensure

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin(xapi: Pools) -> Actor:
    registry.driver_for.cache_clear()
    pool_ensure("green", "xapi")
    return person("admin", Role.ADMINISTRATOR)


def pin(xapi: Pools, host: str) -> str:
    return str(xapi.about["hosts"][host]["sha256"])


def where(xapi: Pools, *pins: str) -> HostAddress:
    address = {"address": xapi.address("host-a"), "user": "root", "port": xapi.port}
    return HostAddress(hypervisor="xapi", transport="tls", fingerprints=pins, **address)


def test_the_certificates_of_a_host_and_of_its_coordinator_are_shown_and_nothing_secret_is_said(
    xapi: Pools, admin: Actor
) -> None:
    seen = certificates_look(admin, pool="green", address=xapi.address("host-a"), port=xapi.port)
    assert [(each.host, each.sha256, each.leads, each.expired) for each in seen] == [
        (xapi.address("host-a"), pin(xapi, "host-a"), False, False),
        (xapi.address("host-c"), pin(xapi, "host-c"), True, False),
    ]
    (own,) = certificates_look(admin, pool="green", address=xapi.address("host-c"), port=xapi.port)
    assert own.leads
    assert xapi.do("sessions")["green"] == 0
    kept = json.loads(AuditRecord.objects.filter(action="certificates_look").first().facts)  # type: ignore[union-attr]
    assert kept["seen"] == [f"{each.host} {each.sha256}" for each in seen]


def test_a_host_with_its_confirmed_certificates_is_added_and_looked_at(xapi: Pools, admin: Actor) -> None:
    address = where(xapi, pin(xapi, "host-a").upper(), pin(xapi, "host-c"))
    host_add(admin, pool="green", where=address, credential=PASSWORD)
    snapshot = registry.driver_for("xapi").inventory(endpoint_of(Host.objects.get()))
    assert snapshot.name == "host-a"


def test_a_host_of_whose_pool_one_certificate_is_not_confirmed_is_not_spoken_to(xapi: Pools, admin: Actor) -> None:
    host_add(admin, pool="green", where=where(xapi, pin(xapi, "host-a")), credential=PASSWORD)
    with pytest.raises(HostUnreachableError, match=r"none of those trusted"):
        registry.driver_for("xapi").inventory(endpoint_of(Host.objects.get()))
    assert xapi.do("sessions")["green"] == 0


def test_hosts_of_one_pool_trust_each_others_certificates_so_that_any_may_come_to_lead(
    xapi: Pools, admin: Actor
) -> None:
    host_add(admin, pool="green", where=where(xapi, pin(xapi, "host-a"), pin(xapi, "host-c")), credential=PASSWORD)
    other = replace(where(xapi, pin(xapi, "host-b")), address=xapi.address("host-b"))
    host_add(admin, pool="green", where=other, credential=PASSWORD)
    xapi.do("failover", host="host-b", dies=True)
    names = {registry.driver_for("xapi").inventory(endpoint_of(host)).name for host in Host.objects.all()}
    assert names == {"host-a", "host-b"}, "the new coordinator was confirmed when it was added itself"


@pytest.mark.parametrize(("pins", "words"), [((), "No certificate is trusted"), (("abc",), "not the SHA-256")])
def test_nothing_is_added_without_a_fingerprint(xapi: Pools, admin: Actor, pins: tuple[str, ...], words: str) -> None:
    with pytest.raises(HostAddressRefusedError, match=words) as caught:
        host_add(admin, pool="green", where=where(xapi, *pins), credential=PASSWORD)
    assert caught.value.facts["field"] == "fingerprints"


def test_an_expired_certificate_is_shown_as_one(xapi: Pools, admin: Actor) -> None:
    xapi.do("certificate", host="host-b", expired=True)
    (seen,) = certificates_look(admin, pool="green", address=xapi.address("host-b"), port=xapi.port)
    assert seen.expired


def test_where_nobody_answers_and_where_nobody_may_look_is_said(xapi: Pools, admin: Actor) -> None:
    xapi.do("silence", host="host-b")
    with pytest.raises(HostAddressRefusedError, match=r"shows no certificate"):
        certificates_look(admin, pool="green", address=xapi.address("host-b"), port=xapi.port)
    with pytest.raises(HostForbiddenError):
        certificates_look(person("reader", Role.AUDITOR), pool="green", address="10.0.0.2", port=None)
    with pytest.raises(HostAddressRefusedError, match=r"no pool called nowhere"):
        certificates_look(admin, pool="nowhere", address="10.0.0.2", port=None)


@pytest.mark.parametrize("address", ["localhost", "169.254.169.254", "0.0.0.0", "a b", "-x", ""])
def test_addresses_that_no_pool_has_are_not_looked_at(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        certificates_at("xapi", address, None)


def test_other_hypervisors_know_no_such_fingerprints() -> None:
    with pytest.raises(NotSupportedError):
        certificates_at("libvirt", "10.0.0.2", None)


def test_a_pool_of_many_hosts_has_room_for_all_its_fingerprints() -> None:
    pins = [f"{number:032x}" for number in range(64)]
    uri = registry.address_from_fields("xapi", "xapi", "tls", "xcp-01.example.org", "root", None, pins)
    assert registry.check_address("xapi", uri) == uri
