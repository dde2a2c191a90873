import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from xenweb.accounts.console import ConsoleCommand
from xenweb.accounts.policy import Actor
from xenweb.inventory.probing import MENDS, probe_mend, probe_prepare, probe_set, probe_states, probe_unset
from xenweb.probe.configuration import PORT
from xenweb.probe.recipe import NOT_STARTED, NOTHING_CHANGED, WAITS_FOR_A_MOVE, script

INSTALLED_WITHIN = 120.0
_PUT = frozenset({0, WAITS_FOR_A_MOVE, NOT_STARTED})
"""The ends of the script after which the host has the new key."""

_UNKNOWN = "Which key the host has now is not known: install once more."


class Command(ConsoleCommand):
    """Put probes on Xen hosts, and ask them."""

    help = (
        "probe install HOST [--at PLACE] [--ssh USER@HOST]: put a probe on a Xen host, or write the script that does; "
        "probe status; probe forget HOST; probe mend HOST VM remove|resume|correct."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the verb, and what it is about."""
        parser.add_argument("verb", choices=["install", "status", "forget", "mend"])
        parser.add_argument("host", nargs="?", default="")
        parser.add_argument("vm", nargs="?", default="")
        parser.add_argument("what", nargs="?", choices=sorted(MENDS), help="what to mend; nothing is done unsaid")
        parser.add_argument("--at", default="", help="HOST:PORT at which the product reaches the probe")
        parser.add_argument("--listen", default="", help="the address at which the probe listens; all, if not said")
        parser.add_argument("--ssh", default="", help="run the script there over ssh, as root")

    def act(self, by: Actor, options: dict[str, Any]) -> None:
        """Do what the verb says."""
        if options["verb"] == "status":
            for each in probe_states():
                self.stdout.write(f"{each.host}  {each.place or '-'}  {'answers' if each.answers else each.says}")
        elif options["verb"] == "forget":
            probe_unset(by, options["host"])
            self.stdout.write(f"The probe of {options['host']} is not asked any more.")
        elif options["verb"] == "mend":
            if options["what"] is None:
                msg = f"Say what is to be done: {', '.join(sorted(MENDS))}."
                raise CommandError(msg)
            probe_mend(by, options["host"], options["vm"], options["what"])
            self.stdout.write("Done, and recorded.")
        else:
            self._install(by, options)

    def _install(self, by: Actor, options: dict[str, Any]) -> None:
        place = options["at"] or f"{options['host']}:{PORT}"
        set_key = probe_prepare if options["ssh"] else probe_set
        key = set_key(by, options["host"], place)
        text = script(key, address=options["listen"], port=int(place.rpartition(":")[2]))
        if options["ssh"]:
            done = self._run(options["ssh"], text)
            if done.returncode in _PUT:
                probe_set(by, options["host"], place, key)
            self._told(done)
            return
        file = Path(settings.XENWEB_DATA) / f"probe-{options['host'].replace('/', '_')}.sh"
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(text)
        self.stdout.write(f"Run it there as root: ssh root@{options['host']} sh -s < {file}")
        self.stdout.write("It holds the key: delete it afterwards.")

    def _run(self, where: str, text: str) -> subprocess.CompletedProcess[str]:
        """Run the script over ssh; it goes in by standard input, and so does the key."""
        if where.startswith("-"):
            msg = f"{where} is no host."
            raise CommandError(msg)
        words = ["ssh", "-o", "BatchMode=yes", where, "sh -s"]
        try:
            return subprocess.run(
                words, input=text, capture_output=True, text=True, timeout=INSTALLED_WITHIN, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise CommandError(f"The script could not be run on {where}: {error} {_UNKNOWN}") from None

    def _told(self, done: subprocess.CompletedProcess[str]) -> None:
        """Say what the script said, and raise CommandError unless the probe runs."""
        self.stdout.write(done.stdout.strip())
        if done.returncode in {0, WAITS_FOR_A_MOVE}:
            return
        said = done.stderr.strip()[-500:] or f"The script ended with {done.returncode}."
        raise CommandError(said if done.returncode in {NOTHING_CHANGED, NOT_STARTED} else f"{said} {_UNKNOWN}")
