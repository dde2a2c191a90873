"""The door of all commands."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_what_a_command_says_is_in_its_log_at_once() -> None:
    # A process that ends like this writes nothing that it has only kept.
    said = "import manage, os; manage.tell_at_once(); print('The board is ready.'); os._exit(0)"
    ended = subprocess.run([sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "The board is ready.\n"
