"""Addresses of XAPI hosts: one form, no password, no machine of ours, and whose certificates are trusted."""

import pytest

from xenweb.drivers.contract import AddressRefusedError
from xenweb.drivers.registry import address_from_fields, check_address

PIN = "ab" * 32
UUID = "12345678-1234-4234-8234-123456789abc"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("xapi://root@Xen1.Example/", "xapi://root@xen1.example/"),
        (f"xapi://root@10.0.0.5:443/{UUID.upper()}?sha256={PIN.upper()}", f"xapi://root@10.0.0.5/{UUID}?sha256={PIN}"),
        (f"xapi://root@[2001:db8::1]:8443/?sha256={PIN}", f"xapi://root@[2001:db8::1]:8443/?sha256={PIN}"),
        (
            f"xapi://mover@xen1/?sha256={':'.join(['cd'] * 32)},{PIN[:32]}",
            f"xapi://mover@xen1/?sha256={PIN[:32]},{'cd' * 32}",
        ),
    ],
)
def test_an_address_is_taken_in_its_plain_form(given: str, taken: str) -> None:
    assert check_address("xapi", given) == taken
    assert check_address("xapi", taken) == taken


@pytest.mark.parametrize(
    "uri",
    [
        "xapi://xen1/",
        "xapi://root:secret@xen1/",
        "xapi://root@localhost/",
        "xapi://root@127.0.0.1/",
        "xapi://root@169.254.1.1/",
        "xapi://root@xen1/not-a-uuid",
        "xapi://root@xen1/?sha256=abc",
        "xapi://root@xen1/?sha256=" + "g" * 64,
        "xapi://root@xen1/?command=id",
        "xapi://root@xen1/#x",
        "xapi://root@xen1:99999/",
        "https://root@xen1/",
        "xapi://root@xen1/ x",
        "xapi://root@1234/",
        "xapi://root@xen1/?sha256=" + ",".join(f"{number:064x}" for number in range(80)),
    ],
)
def test_what_is_not_of_the_form_is_refused(uri: str) -> None:
    with pytest.raises(AddressRefusedError):
        check_address("xapi", uri)


def test_the_fields_of_a_form_make_an_address_that_trusts_what_was_confirmed_and_nobody_else() -> None:
    pin, colons = (PIN,), (":".join(["AB"] * 32),)
    assert address_from_fields("xapi", "xapi", "tls", "xen1", "root", None, pin) == f"xapi://root@xen1/?sha256={PIN}"
    taken = address_from_fields("xapi", "xapi", "tls", "10.0.0.5", "root", 8443, colons)
    assert taken == f"xapi://root@10.0.0.5:8443/?sha256={PIN}"
    for fields in (("qemu", "tls", "xen1", "root"), ("xapi", "ssh", "xen1", "root"), ("xapi", "tls", "xen1", "")):
        with pytest.raises(AddressRefusedError):
            address_from_fields("xapi", *fields, None, pin)
    with pytest.raises(AddressRefusedError):
        address_from_fields("xapi", "xapi", "tls", "xen1", "root", 0, pin)
    for pins in ((), ("abc",)):
        with pytest.raises(AddressRefusedError):
            address_from_fields("xapi", "xapi", "tls", "xen1", "root", None, pins)
