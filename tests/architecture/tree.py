"""The tracked tree, read once: every rule looks at the same files."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Source:
    """One text file of the tree; ``path`` is relative to the root."""

    path: str
    text: str

    @property
    def module(self) -> ast.Module:
        """The file as Python's syntax tree."""
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return Path(self.path).stem


@cache
def tracked() -> tuple[str, ...]:
    """Answer every path that belongs to the tree: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return tuple(sorted(path for path in listed.stdout.splitlines() if (ROOT / path).is_file()))


@cache
def sources(*endings: str, below: str = "") -> tuple[Source, ...]:
    """Read the text files with one of these endings below a folder."""
    paths = (path for path in tracked() if path.startswith(below) and path.endswith(endings))
    return tuple(Source(path, (ROOT / path).read_text(errors="replace")) for path in paths)


def product() -> tuple[Source, ...]:
    """Read our own Python, without schema migrations, which Django writes."""
    return tuple(source for source in sources(".py", below="xenweb/") if "/migrations/" not in source.path)


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Walk over every function of a file."""
    for found in ast.walk(source.module):
        if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
            yield found
