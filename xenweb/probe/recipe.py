"""Write what puts a probe on a host: one shell script for standard input, so that no key is an argument."""

import base64
import json
from typing import Final

from xenweb.probe.configuration import PORT
from xenweb.probe.packing import packed

PROGRAM: Final = "/usr/sbin/xenweb-probe"
"""A place from which AppArmor's profile of libvirtd lets it start programs; from /usr/local it does not."""

FOLDER: Final = "/etc/xenweb-probe"
NOTHING_CHANGED: Final = 1
"""How the script ends when the host has what it had before; the other two when it has the new probe and its key."""

WAITS_FOR_A_MOVE: Final = 2
NOT_STARTED: Final = 3

_LINE: Final = 76

_SCRIPT: Final = """#!/bin/sh
# Puts the probe on this Xen host, or a newer one in its place. Reads nothing, asks nothing, changes no guest.
set -eu
umask 077
state=nothing
ended() {{
    rm -f {program}.new {folder}/key.new {folder}/config.json.new
    case $state in
        nothing) echo "Nothing of this host was changed." >&2; exit {nothing_changed} ;;
        put) echo "The new probe and its key are there, and starting it has failed." >&2; exit {not_started} ;;
        waits) exit {waits} ;;
    esac
}}
trap ended EXIT
unit=libvirtd.service
if systemctl is-active --quiet virtxend.service; then unit=virtxend.service; fi
install -d -m 700 {folder}
base64 -d > {program}.new <<'PROBE'
{packed}
PROBE
chmod 755 {program}.new
cat > {folder}/key.new <<'KEY'
{key}
KEY
chmod 600 {folder}/key.new
cat > {folder}/config.json.new <<'CONFIG'
{config}
CONFIG
sed -i "s/@UNIT@/$unit/" {folder}/config.json.new
# What somebody has set here besides stays set.
/usr/bin/python3 -I - {folder}/config.json {folder}/config.json.new <<'MERGE'
import json, sys
def read(path):
    try:
        said = json.load(open(path))
    except (OSError, ValueError):
        return {{}}
    return said if isinstance(said, dict) else {{}}
kept, ours = (read(path) for path in sys.argv[1:])
with open(sys.argv[2], "w") as file:
    json.dump({{**kept, **ours}}, file, indent=1)
MERGE
# Nothing of the host is changed unless the probe says that it understands this Xen: a probe that runs keeps its key.
if ! XENWEB_PROBE_CONFIG={folder}/config.json.new /usr/bin/python3 -I {program}.new check; then
    echo "This host is not one that the probe is made for." >&2
    exit 1
fi
sed -i "s|{folder}/key.new|{folder}/key|" {folder}/config.json.new
state=put
mv {folder}/key.new {folder}/key
mv {folder}/config.json.new {folder}/config.json
mv {program}.new {program}
cat > /etc/systemd/system/xenweb-probe.service <<'SERVICE'
[Unit]
Description=Probe for moves of Xen guests
After=network.target xenstored.service

[Service]
ExecStart={program} daemon
Restart=always
RestartSec=1
UMask=0077
# Relays of moves under way are processes of this unit: they go on when it is started anew.
KillMode=process

[Install]
WantedBy=multi-user.target
SERVICE
install -d -m 755 "/etc/systemd/system/$unit.d"
cat > "/etc/systemd/system/$unit.d/xenweb-probe.conf" <<'DROPIN'
[Service]
Environment=LIBXL_SAVE_HELPER={program}
DROPIN
chmod 644 /etc/systemd/system/xenweb-probe.service "/etc/systemd/system/$unit.d/xenweb-probe.conf"
systemctl daemon-reload
systemctl enable xenweb-probe.service
systemctl restart xenweb-probe.service
# The daemon learns of the relay when it is started anew; its guests run on. Never in the middle of a move.
if pgrep -f libxl-save-helper > /dev/null; then
    echo "The probe runs. A move is under way: restart $unit when it has ended, and the probe sees passes."
    state=waits
    exit
fi
systemctl restart "$unit"
state=done
echo "The probe runs, and $unit uses it."
"""


def script(key: str, *, address: str = "", port: int = PORT) -> str:
    """Answer the script for one host; ``address`` is where its probe listens, everywhere if empty."""
    text = base64.b64encode(packed()).decode()
    restart = ["systemctl", "restart", "@UNIT@"]
    # While it is checked the key lies beside the one that the probe which runs there holds.
    config = {"address": address, "port": port, "restart": restart, "key_file": f"{FOLDER}/key.new"}
    return _SCRIPT.format(
        program=PROGRAM,
        folder=FOLDER,
        nothing_changed=NOTHING_CHANGED,
        waits=WAITS_FOR_A_MOVE,
        not_started=NOT_STARTED,
        packed="\n".join(text[at : at + _LINE] for at in range(0, len(text), _LINE)),
        key=key,
        config=json.dumps(config, indent=1),
    )
