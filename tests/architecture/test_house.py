"""The house keeps its own rules."""

from collections.abc import Callable

import pytest

from tests.architecture import rules
from tests.architecture.tree import Source, product, sources, tracked

TEXT = (".py", ".ts", ".svelte", ".css", ".html", ".json", ".toml", ".md", ".yaml", ".yml", "Makefile", "lock", "setup")


def faults(rule: Callable[[Source], list[str]], files: tuple[Source, ...]) -> list[str]:
    """Gather a rule's faults over many files."""
    return [fault for source in files for fault in rule(source)]


def test_functions_fit_on_a_screen() -> None:
    assert faults(rules.too_long_functions, product()) == []


def test_files_and_components_stay_small() -> None:
    files = sources(".py", ".ts", ".svelte")
    generated = tuple(source for source in files if not source.path.endswith(("schema.d.ts",)))
    assert faults(rules.too_long_file, generated) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [fault for path in tracked() for fault in rules.empty_module_name(path)] == []


def test_things_are_called_by_the_names_of_the_house() -> None:
    assert faults(rules.foreign_words, product()) == []


def test_the_state_of_a_move_is_written_in_one_function() -> None:
    moves = tuple(source for source in product() if source.path.startswith("xenweb/livemigration/"))
    assert rules.state_writers(moves) == {
        "xenweb/livemigration/transitions.py:state_change",
        "xenweb/livemigration/guards.py:guard_change",  # a guard has a life, and a table, of its own
        "xenweb/livemigration/disk_moves.py:disk_move_change",  # and so has the move of a single disk
    }


def test_the_state_of_a_maintenance_is_written_in_one_function() -> None:
    rooms = tuple(source for source in product() if source.path.startswith("xenweb/maintenance/"))
    assert rules.state_writers(rooms) == {
        "xenweb/maintenance/transitions.py:maintenance_change",
        "xenweb/maintenance/wiring.py:maintenance_wire",  # it shapes one, and writes none
    }


def test_the_state_of_hosts_and_vms_is_written_where_it_is_learned() -> None:
    inventory = tuple(source for source in product() if source.path.startswith("xenweb/inventory/"))
    learned = {
        "sync.py:host_unreachable",  # a host that does not answer
        "sync.py:_host_values",  # a host that does
        "vm_rows.py:_residence_apply",  # a VM, judged from what every host says
        "vm_rows.py:settled",  # a VM that no host knows
        "services.py:host_remove",  # a host that left the board
        "services.py:vm_settle",  # a VM whose move was proven
    }
    assert rules.state_writers(inventory) == {f"xenweb/inventory/{name}" for name in learned}


def test_the_core_reads_no_clock() -> None:
    assert faults(rules.clock_reads, sources(".py", below="xenweb/core/")) == []


def test_foreign_keys_across_apps_are_strings() -> None:
    assert faults(rules.foreign_keys_across_apps, product()) == []


def test_selectors_do_not_write() -> None:
    assert faults(rules.writes_in_selectors, product()) == []


def test_signals_write_nothing_because_there_are_none() -> None:
    assert faults(rules.signals, product()) == []


def test_no_registry_is_named_by_its_host() -> None:
    assert faults(rules.registry_hosts, sources(*TEXT)) == []


def test_no_secret_stands_in_the_tree() -> None:
    assert faults(rules.secret_literals, sources(*TEXT)) == []


def test_every_file_stands_in_a_room_of_the_house() -> None:
    assert [fault for path in tracked() for fault in rules.outside_the_rooms(path)] == []


BAD_SNIPPETS = [
    (rules.too_long_functions, "xenweb/x.py", "def f():\n" + "    x = 1\n" * 61),
    (rules.too_long_file, "xenweb/x.py", "\n" * 501),
    (rules.too_long_file, "frontend/x.svelte", "\n" * 251),
    (rules.foreign_words, "xenweb/x.py", "def move(dest):\n    job = dest\n"),
    (rules.foreign_words, "xenweb/x.py", "class Task: ...\n"),
    (rules.clock_reads, "xenweb/core/x.py", "import time\ntime.monotonic()\n"),
    (rules.clock_reads, "xenweb/core/x.py", "from datetime import datetime\ndatetime.now()\n"),
    (rules.foreign_keys_across_apps, "x.py", "from a.models import B\nb = models.ForeignKey(B)\n"),
    (rules.writes_in_selectors, "xenweb/x/selectors.py", "rows.update(x=1)\n"),
    (rules.signals, "x.py", "from django.db.models.signals import post_save\n"),
    (rules.registry_hosts, "x.toml", f"index = 'https://{rules.REGISTRIES[0]}/simple'\n"),
    (rules.secret_literals, "x.py", "PASSWORD" + " = 'abcdefghijklmnopqrstuvwxyz'\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD_SNIPPETS)
def test_each_rule_can_fail(rule: Callable[[Source], list[str]], path: str, text: str) -> None:
    assert rule(Source(path, text))


def test_the_rules_about_names_and_rooms_can_fail_too() -> None:
    assert rules.empty_module_name("xenweb/web/utils.py")
    assert rules.outside_the_rooms("vendor/x.js")
    assert not rules.outside_the_rooms("README.md")


@pytest.mark.parametrize("line", ["row.state = 1", "rows.update(state=1)", 'rows.update(**{"state": 1})'])
def test_each_way_to_write_a_state_is_seen(line: str) -> None:
    assert rules.state_writers([Source("x.py", f"def f(row, rows):\n    {line}\n")]) == {"x.py:f"}
