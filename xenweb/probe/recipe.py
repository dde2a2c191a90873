"""Write what puts a probe on a host: one shell script for standard input, so that no key is an argument."""

import base64
import json
from typing import Final

from xenweb.probe.configuration import PORT
from xenweb.probe.packing import packed

PROGRAM: Final = "/usr/sbin/xenweb-probe"
"""A place from which AppArmor's profile of libvirtd lets it start programs; from /usr/local it does not."""

_LINE: Final = 76

_SCRIPT: Final = """#!/bin/sh
# Puts the probe on this Xen host, or a newer one in its place. Reads nothing, asks nothing, changes no guest.
set -eu
umask 077
unit=libvirtd.service
if systemctl is-active --quiet virtxend.service; then unit=virtxend.service; fi
install -d -m 700 /etc/xenweb-probe
base64 -d > {program}.new <<'PROBE'
{packed}
PROBE
chmod 755 {program}.new
cat > /etc/xenweb-probe/key <<'KEY'
{key}
KEY
chmod 600 /etc/xenweb-probe/key
cat > /etc/xenweb-probe/config.json <<'CONFIG'
{config}
CONFIG
sed -i "s/@UNIT@/$unit/" /etc/xenweb-probe/config.json
# Nothing of the host is changed unless the probe says that it understands this Xen.
if ! /usr/bin/python3 -I {program}.new check; then
    echo "This host is not one that the probe is made for: nothing was changed." >&2
    rm -f {program}.new
    exit 1
fi
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
    echo "A move is under way: restart $unit when it has ended, and the probe sees passes." >&2
    exit 2
fi
systemctl restart "$unit"
echo "The probe runs, and $unit uses it."
"""


def script(key: str, *, address: str = "", port: int = PORT) -> str:
    """Answer the script for one host; ``address`` is where its probe listens, everywhere if empty."""
    text = base64.b64encode(packed()).decode()
    config = {"address": address, "port": port, "restart": ["systemctl", "restart", "@UNIT@"]}
    return _SCRIPT.format(
        program=PROGRAM,
        packed="\n".join(text[at : at + _LINE] for at in range(0, len(text), _LINE)),
        key=key,
        config=json.dumps(config, indent=1),
    )
