"""Host addresses: a few forms are taken, everything else is refused in words."""

from pathlib import Path

import pytest

from xenweb.drivers.contract import AddressRefusedError
from xenweb.drivers.libvirt_driver import addresses as libvirt_addresses
from xenweb.drivers.simulated_driver import addresses as simulated_addresses


@pytest.mark.parametrize(
    ("uri", "canonical"),
    [
        ("qemu:///system", "qemu:///system"),
        ("xen:///system", "xen:///system"),
        ("qemu://kvm-01.example/system", "qemu://kvm-01.example/system"),
        ("qemu+tls://KVM-01/system", "qemu://kvm-01/system"),
        ("qemu+ssh://kvm-01/system", "qemu+ssh://kvm-01/system"),
        ("xen+ssh://root@xen-01:2222/system", "xen+ssh://root@xen-01:2222/system"),
        ("qemu+ssh://192.0.2.7/system", "qemu+ssh://192.0.2.7/system"),
        ("qemu+ssh://[2001:db8::1]/system", "qemu+ssh://[2001:db8::1]/system"),
    ],
)
def test_the_forms_that_are_taken(uri: str, canonical: str) -> None:
    assert libvirt_addresses.checked(uri) == canonical


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "qemu",
        "file:///etc/passwd",
        "test:///default",
        "esx://host/",
        "lxc:///system",
        "qemu+ext://host/system",
        "qemu+tcp://host/system",
        "qemu+libssh2://host/system",
        "qemu+ssh:///system",
        "qemu:///session",
        "qemu:///embed?root=/",
        "qemu+ssh://host/system?command=/bin/sh",
        "qemu+ssh://host/system?netcat=/bin/sh",
        "qemu+ssh://host/system?socket=/run/x",
        "qemu+ssh://host/system?keyfile=/root/.ssh/id",
        "qemu://host/system?no_verify=1",
        "qemu://host/system?pkipath=/tmp",
        "qemu://host/system#x",
        "qemu+ssh://-oProxyCommand=x/system",
        "qemu+ssh://root:secret@host/system",
        "qemu+ssh://ro ot@host/system",
        "qemu+ssh://$(id)@host/system",
        "qemu+ssh://host;reboot/system",
        "qemu+ssh://host:0/system",
        "qemu+ssh://host:65536/system",
        "qemu+ssh://host:x/system",
        "qemu+ssh://host/system/../x",
        "qemu://localhost/system",
        "qemu://127.0.0.1/system",
        "qemu://[::1]/system",
        "qemu://169.254.169.254/system",
        "qemu://0.0.0.0/system",
        "qemu://2130706433/system",
        "qemu://ho\r\nst/system",
        "qemu://ho\x00st/system",
        "qemu://hóst/system",
        "qemu+unix:///session",
        "qemu+unix:///session?socket=/etc/shadow",
        "qemu+unix:///session?socket=relative",
        "qemu+unix:///session?socket=/lab/../etc/shadow",
        "qemu+unix:///session?socket=/lab/a&command=x",
        "qemu+unix://host/session?socket=/lab/a",
        "qemu://" + "a" * 500 + "/system",
    ],
)
def test_every_other_form_is_refused_with_the_forms_that_help(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENWEB_LIBVIRT_SOCKET_FOLDERS", "/lab")
    with pytest.raises(AddressRefusedError, match="The forms we take"):
        libvirt_addresses.checked(uri)


def test_a_private_socket_is_taken_below_an_allowed_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENWEB_LIBVIRT_SOCKET_FOLDERS", "/other,/lab")
    uri = "qemu+unix:///session?socket=/lab/host-a/run/libvirt/libvirt-sock"
    assert libvirt_addresses.checked(uri) == uri
    monkeypatch.delenv("XENWEB_LIBVIRT_SOCKET_FOLDERS")
    with pytest.raises(AddressRefusedError):
        libvirt_addresses.checked(uri)


def test_fields_make_the_same_addresses() -> None:
    assert libvirt_addresses.from_fields("xen", "ssh", "xen-01", "root", 22) == "xen+ssh://root@xen-01:22/system"
    assert libvirt_addresses.from_fields("qemu", "tls", "kvm-01") == "qemu://kvm-01/system"
    assert libvirt_addresses.from_fields("qemu", "unix", "") == "qemu:///system"


@pytest.mark.parametrize(
    "fields",
    [
        ("vbox", "ssh", "host", "", None),
        ("qemu", "ext", "host", "", None),
        ("qemu", "tls", "host", "root", None),
        ("qemu", "ssh", "", "", None),
        ("qemu", "ssh", "host", "-x", None),
        ("qemu", "ssh", "host", "", 70000),
        ("qemu", "unix", "host", "", None),
    ],
)
def test_bad_fields_are_refused(fields: tuple[str, str, str, str, int | None]) -> None:
    with pytest.raises(AddressRefusedError):
        libvirt_addresses.from_fields(*fields)


def test_simulated_hosts_are_taken_only_where_simulation_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    uri = "simulated:///tmp/world.json?host=host-a"
    monkeypatch.delenv("XENWEB_SIMULATED", raising=False)
    with pytest.raises(AddressRefusedError, match="not switched on"):
        simulated_addresses.checked(uri)
    monkeypatch.setenv("XENWEB_SIMULATED", "1")
    assert simulated_addresses.checked(uri) == uri
    assert simulated_addresses.parts(uri) == (Path("/tmp/world.json"), "host-a")


@pytest.mark.parametrize(
    "uri",
    [
        "simulated:///tmp/../etc/world.json?host=a",
        "simulated:///etc/passwd?host=a",
        "simulated:///tmp/world.json",
        "simulated:///tmp/world.json?host=A B",
        "simulated://host/tmp/world.json?host=a",
        "qemu:///system",
    ],
)
def test_other_simulated_addresses_are_refused(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENWEB_SIMULATED", "1")
    with pytest.raises(AddressRefusedError):
        simulated_addresses.checked(uri)


@pytest.mark.parametrize("uri", ["xen+tcp://10.77.0.1/system", "xen+tcp://127.0.0.1:16511/system"])
def test_plain_tcp_is_taken_only_for_hosts_that_the_operator_has_named(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AddressRefusedError):
        libvirt_addresses.checked(uri)
    monkeypatch.setenv("XENWEB_LIBVIRT_TCP_HOSTS", "10.77.0.1, 127.0.0.1:16511")
    assert libvirt_addresses.checked(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "xen+tcp://10.77.0.2/system",
        "xen+tcp://10.77.0.1:16509/system",
        "xen+tcp://root@10.77.0.1/system",
        "xen+tcp://10.77.0.1/system?command=/bin/sh",
        "xen+tcp:///system",
    ],
)
def test_a_named_host_opens_no_door_for_another(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENWEB_LIBVIRT_TCP_HOSTS", "10.77.0.1")
    with pytest.raises(AddressRefusedError):
        libvirt_addresses.checked(uri)
