#!/usr/bin/env python
"""Run one of xenweb's commands."""

import os
import sys


def main() -> None:
    """Hand the command line to Django; say what to do where it is not installed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xenweb.settings")
    try:
        from django.core.management import execute_from_command_line  # it may be missing
    except ImportError:
        sys.exit("Django is not installed here: run `make demo`, which does all set-up.")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
