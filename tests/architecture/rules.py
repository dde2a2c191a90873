"""The rules of the house as functions: sources in, faults out. An empty list is a kept rule."""

import ast
import re
from collections.abc import Iterable, Iterator

from tests.architecture.tree import Source, functions

LONGEST_FUNCTION = 60
LONGEST_FILE = 500
LONGEST_COMPONENT = 250

EMPTY_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"})
FOREIGN_WORDS = frozenset({"job", "task", "dest", "dst", "node", "instance", "domain"})
CLOCKS = frozenset({"now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"})
CLOCK_OWNERS = frozenset({"time", "datetime", "date", "timezone"})
WRITES = frozenset({"save", "create", "update", "delete", "get_or_create", "update_or_create", "bulk_create"})

# Written in parts, so that this file does not hold what it looks for.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
    )
)
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|"
    r"(?i:password|secret|token|api_key)\s*[:=]\s*[\"'][A-Za-z0-9+/_=-]{24,}[\"']"
)
TOP_LEVEL = frozenset({"manage.py", "xenweb", "frontend", "templates", "static", "tests", "docker", ".ci"})


def too_long_functions(source: Source) -> list[str]:
    """Find functions of more lines than a reader keeps in mind."""
    return [
        f"{source.path}:{each.lineno} {each.name} has {length} lines, {LONGEST_FUNCTION} are allowed"
        for each in functions(source)
        if (length := (each.end_lineno or each.lineno) - each.lineno + 1) > LONGEST_FUNCTION
    ]


def too_long_file(source: Source) -> list[str]:
    """Find a file that should be two."""
    limit = LONGEST_COMPONENT if source.path.endswith(".svelte") else LONGEST_FILE
    length = source.text.count("\n")
    return [f"{source.path} has {length} lines, {limit} are allowed"] if length > limit else []


def empty_module_name(path: str) -> list[str]:
    """Find a module whose name says nothing about what is in it."""
    stem = path.rpartition("/")[2].partition(".")[0]
    return [f"{path}: {stem} says nothing of what is in it"] if stem in EMPTY_NAMES else []


def foreign_words(source: Source) -> list[str]:
    """Find names of ours that use another product's word for a thing that has a name here."""
    if source.path.startswith(("xenweb/drivers/libvirt_driver/", "xenweb/lab/qemu/")):
        return []  # there libvirt's words are the right ones
    return [
        f"{source.path}:{line} {name!r} is a word of others; see the names of the house"
        for name, line in _bound_names(source.module)
        if name.lower().lstrip("_") in FOREIGN_WORDS
    ]


def _bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield each.name, each.lineno
        elif isinstance(each, ast.arg):
            yield each.arg, each.lineno
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id, each.lineno


def state_writers(sources: Iterable[Source]) -> set[str]:
    """Name the functions that write a field called state: by assignment, by update() or in a row's values."""
    return {f"{source.path}:{each.name}" for source in sources for each in functions(source) if _writes_state(each)}


def _writes_state(function: ast.AST) -> bool:
    for each in ast.walk(function):
        if isinstance(each, ast.Assign | ast.AnnAssign):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            rows = [part for target in targets for part in ast.walk(target) if isinstance(part, ast.Attribute)]
            if any(row.attr == "state" and not _is_self(row.value) for row in rows):
                return True
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute):
            is_write = each.func.attr in WRITES | {"setattr"}
            if is_write and any(keyword.arg == "state" for keyword in each.keywords):
                return True
        if isinstance(each, ast.Dict) and any(isinstance(k, ast.Constant) and k.value == "state" for k in each.keys):
            return True
    return False


def _is_self(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "self"


def clock_reads(source: Source) -> list[str]:
    """Find a look at a clock: in the core, time is an argument."""
    found = []
    for each in ast.walk(source.module):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in CLOCKS:
            owner = each.func.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if name in CLOCK_OWNERS:
                found.append(f"{source.path}:{each.lineno} reads a clock")
    return found


def foreign_keys_across_apps(source: Source) -> list[str]:
    """Find a foreign key to another app's class: across apps they are strings."""
    imported = {
        alias.asname or alias.name
        for each in ast.walk(source.module)
        if isinstance(each, ast.ImportFrom) and (each.module or "").endswith(".models")
        for alias in each.names
    }
    return [
        f"{source.path}:{each.lineno} refers to {each.args[0].id} of another app by class"
        for each in ast.walk(source.module)
        if isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr in {"ForeignKey", "OneToOneField", "ManyToManyField"}
        and each.args
        and isinstance(each.args[0], ast.Name)
        and each.args[0].id in imported
    ]


def writes_in_selectors(source: Source) -> list[str]:
    """Find a selector that writes."""
    if source.name != "selectors":
        return []
    return [
        f"{source.path}:{each.lineno} writes with .{each.func.attr}()"
        for each in ast.walk(source.module)
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in WRITES
    ]


def signals(source: Source) -> list[str]:
    """Find a signal handler: signals write nothing here."""
    return [
        f"{source.path}:{each.lineno} uses Django's signals"
        for each in ast.walk(source.module)
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("django") and "signals" in each.module
    ]


def registry_hosts(source: Source) -> list[str]:
    """Find the name of a package registry's host: packages are taken by their own names."""
    return [f"{source.path} names {host}" for host in REGISTRIES if host in source.text]


def secret_literals(source: Source) -> list[str]:
    """Find what looks like a secret in the text."""
    return [
        f"{source.path}:{number} holds what looks like a secret"
        for number, line in enumerate(source.text.splitlines(), 1)
        if SECRETS.search(line)
    ]


def outside_the_rooms(path: str) -> list[str]:
    """Find a file that stands in no room of the house: root files and the known folders only."""
    top = path.partition("/")[0]
    return [] if "/" not in path or top in TOP_LEVEL else [f"{path} stands in a room that the house does not have"]
