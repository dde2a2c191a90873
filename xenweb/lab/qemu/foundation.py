"""What a lab stands on: clean folders, configuration files, and the one process that is the lab."""

import os
import shutil
import subprocess
import time
from contextlib import suppress
from typing import Final

from xenweb.lab.errors import LabError
from xenweb.lab.folders import hold
from xenweb.lab.qemu import control, descriptions
from xenweb.lab.qemu.layout import HOSTS, LabLayout
from xenweb.lab.qemu.namespaces import LAB, environment, python_module

START_PATIENCE: Final = 15.0


def clean(layout: LabLayout) -> None:
    """Remove what an earlier lab left; its processes are gone, for they cannot outlive their namespace.

    What libvirt learned about QEMU stays, for it takes seconds to learn. Raises LabError when a lab still lives here.
    """
    os.close(hold(layout.folder))  # only to see that nobody else does
    for folder in (layout.consoles, layout.shared, layout.leases, layout.local):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    for file in (layout.control, layout.process, layout.description, layout.log):
        file.unlink(missing_ok=True)
    for spec in HOSTS:
        host = layout.host(spec.name)
        for folder in (host.run, host.config, host.disks, host.data):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (host.log, host.daemon_log):
            file.unlink(missing_ok=True)


def lay(layout: LabLayout) -> None:
    """Write the folders and configuration files of every host."""
    layout.names.write_text(descriptions.host_names())
    layout.people.write_text(descriptions.people())
    layout.groups.write_text(descriptions.groups())
    for spec in HOSTS:
        host = layout.host(spec.name)
        for needed in (host.config / "libvirt", host.cache, host.disks, host.data):
            needed.mkdir(mode=0o700, parents=True, exist_ok=True)
        host.daemon_config.write_text(descriptions.daemon_configuration(layout, spec))
        (host.config / "libvirt" / "qemu.conf").write_text(descriptions.qemu_configuration(spec))
        (host.config / "libvirt" / "qemu-lockd.conf").write_text(descriptions.lock_configuration(layout))


def start_process(layout: LabLayout) -> None:
    """Start the lab's process and wait until it takes commands; raise LabError with its last words."""
    command = (*LAB, *python_module("xenweb.lab.qemu.hub", str(layout.folder)))
    with layout.log.open("w") as log:
        # A session of its own: the lab outlives the terminal it was started from.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), start_new_session=True
        )
    with suppress(OSError):  # it may have ended already; its log says why
        control.remember_process(layout, process.pid)
    deadline = time.monotonic() + START_PATIENCE
    while not layout.control.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            control.end_process(layout)
            said = (layout.log.read_text().strip().splitlines() or ["it said nothing"])[-1]
            msg = f"The lab's process did not start: {said} (see {layout.log})."
            raise LabError(msg)
        time.sleep(0.01)
