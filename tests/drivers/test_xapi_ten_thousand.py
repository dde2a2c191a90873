"""A pool of ten thousand VMs: read piece by piece, kept small, and followed change by change."""

import json
import tracemalloc
from collections.abc import Collection, Iterator

from xenweb.core.quantities import MIB
from xenweb.drivers.xapi_driver import bulk
from xenweb.drivers.xapi_driver.errors import AnswerUnreadableError
from xenweb.drivers.xapi_driver.homes import kept, placed
from xenweb.drivers.xapi_driver.records import Record
from xenweb.drivers.xapi_driver.transport import Value
from xenweb.drivers.xapi_driver.view import Tables, View

VMS, HOSTS = 10_000, 32
FILLER = {f"field_{number}": "of no interest to us" for number in range(60)}


def vm(number: int, name: str = "") -> dict[str, Value]:
    told = {"uuid": f"uuid-{number}", "name_label": name or f"vm-{number}", "power_state": "Running"}
    return {**told, "resident_on": f"host-{number % HOSTS}", "scheduled_to_be_resident_on": "OpaqueRef:NULL", **FILLER}


class TenThousand:
    """A pool that counts what it is asked."""

    def __init__(self) -> None:
        self.events: list[dict[str, Value]] = []
        self.names: dict[int, str] = {}
        self.singly = self.whole = 0
        self.is_drowning = False

    def call(self, method: str, *params: object) -> Value:
        return self.told(method, *params)

    def told(self, method: str, *params: object) -> Value:
        if method == "event.from":
            if self.is_drowning and params[1]:
                msg = "More than is read at once."
                raise AnswerUnreadableError(msg)
            events, self.events = self.events, []
            return {"token": "1", "events": events, "valid_ref_counts": {"vm": VMS}}  # type: ignore[dict-item]
        self.singly += 1
        number = int(str(params[0]).partition("-")[2])
        return vm(number, self.names.get(number, ""))

    def records(self, kind: str, fields: Collection[str]) -> dict[str, dict[str, Value]]:
        self.whole += kind == "VM"
        return bulk.records("pool", self._pieces(kind), fields)

    def _pieces(self, kind: str) -> Iterator[bytes]:
        yield b'{"result": {'
        rows = range(VMS) if kind == "VM" else range(HOSTS) if kind == "host" else ()
        for number in rows:
            record = vm(number, self.names.get(number, "")) if kind == "VM" else {"uuid": f"host-uuid-{number}"}
            yield f'{"," if number else ""}"{kind.lower()}-{number}": {json.dumps(record)}'.encode()
        yield b"}}"

    def change(self, *numbers: int) -> None:
        for number in numbers:
            self.names[number] = f"changed-{number}"
            self.events.append({"class": "vm", "operation": "mod", "ref": f"vm-{number}"})


def test_ten_thousand_vms_are_read_once_and_kept_small() -> None:
    pool = TenThousand()
    view = View(pool)
    tracemalloc.start()
    try:
        tables = view.look()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(tables["VM"]) == VMS
    assert sum(len(placed(tables, f"host-{number}")) for number in range(HOSTS)) == VMS
    assert peak < 48 * MIB, "sixty fields of each VM are of no interest, and are not kept"
    assert (pool.whole, pool.singly) == (1, 0)


def test_a_few_changes_among_ten_thousand_are_read_one_by_one() -> None:
    pool = TenThousand()
    view = View(pool)
    before = view.look()
    pool.change(*range(100))
    after = view.look()
    assert (pool.whole, pool.singly) == (1, 100)
    assert after["VM"]["vm-7"].text("name_label") == "changed-7"
    assert before["VM"]["vm-7"].text("name_label") == "vm-7", "what was told of one moment never changes"
    assert view.look() is after, "where nothing has changed nothing is worked out anew"


def worked_on(tables: Tables) -> int:
    """Count the VMs of which something must be worked out; the others are known from moments before."""
    counted: list[str] = []
    for each in tables["VM"].values():
        kept(tables, "test", each, lambda each=each: counted.append(each.ref))  # type: ignore[misc]
    return len(counted)


def test_of_ten_thousand_vms_only_those_that_changed_are_worked_out_again() -> None:
    pool = TenThousand()
    view = View(pool)
    assert worked_on(view.look()) == VMS
    pool.change(*range(100))
    assert worked_on(view.look()) == 100
    pool.change(*range(100))
    assert worked_on(view.look()) == 0, "an event that brings nothing new changes nothing"


def test_what_was_worked_out_of_vms_goes_when_what_lies_around_them_changes() -> None:
    tables = View(TenThousand()).look()
    worked_on(tables)
    plain = dict(tables)
    repository = Record("SR", "sr-1", {"uuid": "1", "name_label": "fast", "physical_utilisation": "1"})
    fuller = Record("SR", "sr-1", {**repository.said, "physical_utilisation": "2"})
    renamed = Record("SR", "sr-1", {**repository.said, "name_label": "slow"})
    before = Tables(plain | {"SR": {"sr-1": repository}}, tables)
    assert worked_on(before) == VMS
    assert worked_on(Tables(plain | {"SR": {"sr-1": fuller}}, before)) == 0, "how full it is concerns no VM"
    assert worked_on(Tables(plain | {"SR": {"sr-1": renamed}}, before)) == VMS


def test_a_whole_class_that_is_read_again_and_is_the_same_changes_nothing() -> None:
    pool = TenThousand()
    view = View(pool)
    before = view.look()
    pool.events.append({"class": "vm", "operation": "del", "ref": "vm-unknown"})
    assert view.look() is before
    view.forget()
    assert view.look() is before
    assert pool.whole == 2


def test_more_changes_than_are_worth_it_are_read_as_a_whole() -> None:
    pool = TenThousand()
    view = View(pool)
    view.look()
    pool.change(*range(2000))
    assert view.look()["VM"]["vm-1999"].text("name_label") == "changed-1999"
    assert (pool.whole, pool.singly) == (2, 0)


def test_a_batch_that_is_more_than_is_read_at_once_is_read_as_a_whole() -> None:
    pool = TenThousand()
    view = View(pool)
    view.look()
    pool.change(5)
    pool.is_drowning = True
    assert view.look()["VM"]["vm-5"].text("name_label") == "changed-5"
    assert pool.whole == 2
