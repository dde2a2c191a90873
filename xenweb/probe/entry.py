"""The doors of the probe: libxl's, the daemon's, and the installer's."""

import json
import os
import sys

from .configuration import Configuration

USAGE = "usage: xenweb-probe daemon | waiting | check | --save-domain … | --restore-domain …\n"


def main(words: list[str]) -> int:
    """Do what the first word says; a save helper's words do not return."""
    if words and words[0] in {"--save-domain", "--restore-domain"}:
        from .relay import main as relay

        relay(words)
    if words == ["waiting"]:
        from .waiting import serve

        return serve(Configuration.read())
    if words == ["daemon"]:
        from .daemon import Daemon
        from .waiting import keep

        keep(sys.argv[0])
        Daemon(Configuration.read()).serve()
    if words == ["check"]:
        return check()
    sys.stderr.write(USAGE)
    return 2


def check() -> int:
    """Say whether this host can be probed, before anything of it is changed: 0 if it can."""
    configuration = Configuration.read()
    helper = configuration.real_helper()
    found = {
        "xen": configuration.xen_version(),
        "made_for": configuration.xen,
        "relays": configuration.is_made_for_this_xen(),
        "helper": helper,
        "helper_runs": os.access(helper, os.X_OK),
        "key": configuration.key_file.exists() and not configuration.key_file.stat().st_mode & 0o077,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["relays"] and found["helper_runs"] and found["key"] else 1
