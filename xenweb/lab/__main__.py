"""The lab's command without Django: ``python -m xenweb.lab up``."""

import argparse
import sys

from xenweb.lab.cli import add_arguments, run
from xenweb.lab.errors import LabError


def main() -> None:
    """Run the command; end with one sentence when it cannot be done."""
    parser = argparse.ArgumentParser(prog="lab", description="Real libvirt hosts on this machine.")
    add_arguments(parser)
    try:
        run(parser.parse_args(), print)
    except LabError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
