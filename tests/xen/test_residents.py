"""What the hypervisor says of its guests."""

import pytest

from xenweb.lab.xen.residents import Resident, residents

TABLE = """\
Name                                        ID   Mem VCPUs\tState\tTime(s)
Domain-0                                     0   900     1     r-----     118.3
san-1                                        3   128     1     -b----       4.1
a name with spaces                           4   160     1     ---ss-       0.0
"""


def test_every_guest_is_read_and_the_control_domain_left_out() -> None:
    assert residents(TABLE) == {
        "san-1": Resident("san-1", 3, 128, 1, "-b----", 4.1),
        "a name with spaces": Resident("a name with spaces", 4, 160, 1, "---ss-", 0.0),
    }


def test_a_guest_that_cannot_run_on_is_told_from_one_that_waits() -> None:
    found = residents(TABLE)
    assert not found["san-1"].is_stopped
    assert found["a name with spaces"].is_stopped


def test_a_table_of_another_form_is_an_error_and_not_an_empty_host() -> None:
    with pytest.raises(ValueError, match=r"unpack|literal"):
        residents("Name ID\nsan-1 running\n")
