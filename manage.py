#!/usr/bin/env python
"""Run one of xenweb's commands."""

import io
import os
import sys


def tell_at_once() -> None:
    """Write each line when it is said: whoever reads a log of ours waits for what it tells, as the demo's address."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def main() -> None:
    """Hand the command line to Django; say what to do where it is not installed."""
    tell_at_once()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xenweb.settings")
    try:
        from django.core.management import execute_from_command_line  # it may be missing
    except ImportError:
        sys.exit("Django is not installed here: run `make demo`, which does all set-up.")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
