"""What a VM's own record says against moving it."""

import pytest

from xenweb.core.placement import Severity
from xenweb.drivers.xapi_driver import obstacles
from xenweb.drivers.xapi_driver.records import Record
from xenweb.drivers.xapi_driver.transport import Value


def found(**said: Value) -> list[tuple[str, Severity]]:
    record: dict[str, Value] = {"uuid": "u", "name_label": "web-1", "power_state": "Running", **said}
    return [(each.code, each.severity) for each in obstacles.of(Record("VM", "ref", record))]


OFFERED = ["pool_migrate", "clean_shutdown"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"allowed_operations": OFFERED}, []),
        ({"blocked_operations": {"pool_migrate": "licence"}}, [("operation_blocked", Severity.BLOCKER)]),
        # Whoever forbade only moves with disks left those within the pool alone.
        (
            {"blocked_operations": {"migrate_send": "true"}, "allowed_operations": OFFERED},
            [("operation_blocked", Severity.WARNING)],
        ),
        ({"attached_PCIs": ["OpaqueRef:1"]}, [("host_device", Severity.BLOCKER)]),
        ({"allowed_operations": ["clean_shutdown"]}, [("move_not_offered", Severity.WARNING)]),
        # A VM that is busy offers nothing, and an old pool may offer nothing at all: neither says anything.
        ({"allowed_operations": ["hard_shutdown"], "current_operations": {"t": "snapshot"}}, []),
        ({"allowed_operations": []}, []),
        ({"power_state": "Halted", "blocked_operations": {"pool_migrate": "licence"}}, []),
    ],
)
def test_a_record_tells_what_stands_in_the_way(said: dict[str, Value], expected: list[tuple[str, Severity]]) -> None:
    assert found(**said) == expected
