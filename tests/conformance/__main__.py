"""``python -m tests.conformance``: run the simulated pools and compare them with the data model of XENAPI_JSON."""

import sys
import tempfile
from pathlib import Path

from tests.conformance.published import path_given, read
from tests.conformance.run import compared

if __name__ == "__main__":
    found = path_given()
    if found is None:
        sys.stdout.write("xapi-conformance: skipped, for XENAPI_JSON names no file with the XenAPI's data model\n")
        sys.exit(0)
    with tempfile.TemporaryDirectory(prefix="xc-", dir="/tmp") as folder:
        report = compared(Path(folder), read(found))
    sys.stdout.write("\n".join(report.lines()) + "\n")
    sys.exit(1 if report.differences else 0)
