"""Write the facts file of the simulated pool anew, from the data model that XENAPI_JSON names."""

import sys

from tests.conformance import published
from xenweb.lab.xapi.model import PATH

if __name__ == "__main__":
    found = published.path_given()
    if found is None:
        sys.exit("XENAPI_JSON names no file: nothing was written.")
    PATH.write_text("\n".join(published.lines(published.read(found))) + "\n")
