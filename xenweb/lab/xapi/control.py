"""The control door: how a test hurts the simulated pools. It is no part of the XenAPI, and no client may use it.

A Unix socket takes one JSON object a line, ``{"do": ...}``, and answers one.
"""

import json
import socketserver
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from xenweb.lab.xapi import checks, moves
from xenweb.lab.xapi.crowd import Churn
from xenweb.lab.xapi.dispatch import Site
from xenweb.lab.xapi.model import NULL, Value
from xenweb.lab.xapi.pool import Place, Pool
from xenweb.lab.xapi.server import Hosts
from xenweb.lab.xapi.wire import XapiError

Command = dict[str, Value]
NUMBERS = ("link", "answers_after", "padding", "drip", "fail_late", "lie", "keep_reserved", "pause", "parted")


@dataclass(slots=True)
class Door:
    """What can be done to the site."""

    site: Site
    hosts: Hosts
    churn: Churn | None = None

    def do(self, command: Command) -> Value:
        """Do one thing; raise KeyError for what is not known."""
        return _DEEDS[str(command["do"])](self, command)

    def host(self, name: Value | None) -> tuple[Pool, Place]:
        """Find a host by its name."""
        for pool in self.site.pools.values():
            for place in pool.places:
                if place.name == name:
                    return pool, place
        raise KeyError(name)

    def vm(self, name: Value | None) -> tuple[Pool, str]:
        """Find a VM by its name, in whatever pool it is."""
        for pool in self.site.pools.values():
            for ref in pool.store.refs("VM"):
                if pool.store.text("VM", ref, "name_label") == name:
                    return pool, ref
        raise KeyError(name)


def _reset(door: Door, command: Command) -> Value:
    del command
    door.site.reset()
    for pool in door.site.pools.values():
        for place in pool.places:
            if place.address in door.hosts.expired:
                _certificate(door, {"host": place.name})
            door.hosts.open(place.address)
    return True


def _set(door: Door, command: Command) -> Value:
    for name in NUMBERS:
        if name in command:
            setattr(door.site.faults, name, command[name])
    for name in ("unknown", "missing_fields"):
        if name in command:
            setattr(door.site.faults, name, {str(each) for each in cast("list[Value]", command[name])})
    return True


def _drop(door: Door, command: Command) -> Value:
    """Lose the answers to a call, or with ``before`` the call itself."""
    faults = door.site.faults
    told = faults.lost if command.get("before") else faults.drops
    told[str(command["method"])] = int(cast("int", command.get("count", 1)))
    return True


def _silence(door: Door, command: Command) -> Value:
    _, place = door.host(command["host"])
    if command.get("on", True):
        door.hosts.close(place.address)
    else:
        door.hosts.open(place.address)
    return True


def _kill(door: Door, command: Command) -> Value:
    """Take a member's power: the others are told after a while, or at once."""
    pool, place = door.host(command["host"])
    place.is_up = False
    door.hosts.close(place.address)
    if command.get("noticed"):
        pool.store.set("host_metrics", pool.store.text("host", place.ref, "metrics"), live=False)
    return True


def _failover(door: Door, command: Command) -> Value:
    """Let another host lead, or the same one start its toolstack anew: sessions and tasks are lost."""
    pool, place = door.host(command["host"])
    old = pool.coordinator
    if command.get("dies") and old is not place:
        old.is_up = False
        door.hosts.close(old.address)
    with pool.store.lock:
        pool.epoch += 1
        for ref in pool.store.refs("session"):
            pool.store.remove("session", ref)
        door.site.errands(pool).forget_all()
        pool.store.set("pool", pool.ref, master=place.ref)
        for vm in pool.store.refs("VM"):
            if pool.store.mapped("VM", vm, "current_operations"):
                pool.store.set("VM", vm, current_operations={})
            if not door.site.faults.keep_reserved:
                pool.store.set("VM", vm, scheduled_to_be_resident_on=NULL)
    return True


def _field(door: Door, command: Command) -> Value:
    """Write any field of a record that is named, whatever its type says."""
    kind, name = str(command["class"]), str(command["name"])
    for pool in door.site.pools.values():
        for ref, row in list(pool.store.tables[kind].items()):
            if name in {row.record.get("name_label"), row.record.get("uuid"), ref}:
                pool.store.set(kind, ref, **{str(command["field"]): command["value"]})
                if kind == "VM":
                    checks.refresh(pool, ref)
                return ref
    raise KeyError(name)


def _power(door: Door, command: Command) -> Value:
    pool, vm = door.vm(command["vm"])
    power = str(command["power"])
    if power in {"Halted", "Suspended"}:
        moves.halt(pool, vm)
    image = moves.suspend_image(pool, vm) if power == "Suspended" else NULL
    pool.store.set("VM", vm, power_state=power, suspend_VDI=image)
    checks.refresh(pool, vm)
    return True


def _tell(door: Door, command: Command) -> Value:
    """Read any record by its class and name, past the XenAPI."""
    kind, name = str(command["class"]), str(command["name"])
    for pool in door.site.pools.values():
        for ref, row in list(pool.store.tables[kind].items()):
            if name in {row.record.get("name_label"), row.record.get("uuid"), ref}:
                return {"pool": pool.name, "ref": ref, **row.record}
    return {}


def _residence(door: Door, command: Command) -> Value:
    """Say on which host a VM runs, by its name; empty for none."""
    pool, vm = door.vm(command["vm"])
    host = pool.store.text("VM", vm, "resident_on")
    return next((place.name for place in pool.places if place.ref == host), "")


def _certificate(door: Door, command: Command) -> Value:
    """Let a host answer with another certificate."""
    _, place = door.host(command["host"])
    door.hosts.close(place.address)
    door.hosts.certify(place.address, is_expired=bool(command.get("expired")))
    door.hosts.open(place.address)
    return door.hosts.fingerprints[place.address]


def _busy(door: Door, command: Command) -> Value:
    """Hold a VM with an operation of another hand, or let go of it."""
    pool, vm = door.vm(command["vm"])
    held = {"OpaqueRef:another-hand": str(command["operation"])} if command.get("operation") else {}
    pool.store.set("VM", vm, current_operations=cast("Value", held))
    checks.refresh(pool, vm)
    return True


def _sessions(door: Door, command: Command) -> Value:
    del command
    return {name: len(pool.store.refs("session")) for name, pool in door.site.pools.items()}


def _logouts(door: Door, command: Command) -> Value:
    """Say how many sessions were ended by their own word since the world was made."""
    del command
    return {name: pool.logouts for name, pool in door.site.pools.items()}


def _flood(door: Door, command: Command) -> Value:
    """Add and remove many records between two calls, so that old deletions are forgotten."""
    pool, place = door.host(command["host"])
    del place
    for _ in range(int(cast("int", command["count"]))):
        pool.store.remove("VM", pool.store.add("VM", name_label="fleeting"))
    return True


def _churn(door: Door, command: Command) -> Value:
    """Begin to change VMs of the crowd, ``rate`` times a second; or, without a rate, say what has become of it."""
    if "rate" in command:
        pool = next(iter(door.site.pools.values()))
        door.churn = Churn(pool, float(cast("float", command["rate"])), float(cast("float", command["seconds"])))
        door.churn.begin()
    churn = door.churn
    if churn is None:
        return {}
    if not churn.is_over:
        return {"over": False}
    told = {"names": churn.names, "hosts": churn.hosts, "changes": churn.changes}
    return cast("Value", {"over": True, **told})


def _about(door: Door, command: Command) -> Value:
    del command
    return {
        "port": door.hosts.port,
        "hosts": {
            place.name: {
                "address": place.address,
                "uuid": pool.store.text("host", place.ref, "uuid"),
                "pool": pool.name,
                "sha256": door.hosts.fingerprints[place.address],
            }
            for pool in door.site.pools.values()
            for place in pool.places
        },
    }


def _remove(door: Door, command: Command) -> Value:
    pool, vm = door.vm(command["vm"])
    pool.reside(vm, NULL)
    pool.store.remove("VM", vm)
    return True


def _disks(door: Door, command: Command) -> Value:
    """List the names of the disks on a host's own storage, or remove those of one VM that it does not use."""
    pool, place = door.host(command["host"])
    store, found = pool.store, []
    for sr in store.refs("SR"):
        if store.flag("SR", sr, "shared") or not pool.sees_storage(place.ref, sr):
            continue
        for vdi in store.listed("SR", sr, "VDIs"):
            name = store.text("VDI", vdi, "name_label")
            if command.get("remove") == name and not store.listed("VDI", vdi, "VBDs"):
                moves.drop_disk(pool, vdi)
            else:
                found.append(name)
    return cast("Value", found)


def _messages(door: Door, command: Command) -> Value:
    """List whom messages of one name are about."""
    found: list[Value] = []
    for pool in door.site.pools.values():
        rows = [row.record for row in pool.store.tables["message"].values()]
        found += [record["obj_uuid"] for record in rows if record["name"] == command["name"]]
    return found


def _generation(door: Door, command: Command) -> Value:
    del command
    return sum(pool.store.generation for pool in door.site.pools.values())


_DEEDS: dict[str, Callable[[Door, Command], Value]] = {
    "reset": _reset,
    "set": _set,
    "drop": _drop,
    "silence": _silence,
    "kill": _kill,
    "failover": _failover,
    "field": _field,
    "power": _power,
    "tell": _tell,
    "residence": _residence,
    "certificate": _certificate,
    "busy": _busy,
    "sessions": _sessions,
    "logouts": _logouts,
    "flood": _flood,
    "about": _about,
    "churn": _churn,
    "remove": _remove,
    "disks": _disks,
    "generation": _generation,
    "messages": _messages,
}


class _Visitor(socketserver.StreamRequestHandler):
    server: "DoorServer"

    def handle(self) -> None:
        """Do what each line says."""
        for line in self.rfile:
            try:
                answer: Command = {"ok": self.server.door.do(json.loads(line))}
            except (KeyError, ValueError, TypeError, XapiError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class DoorServer(socketserver.ThreadingUnixStreamServer):
    """The door's socket."""

    daemon_threads = True

    def __init__(self, path: Path, door: Door) -> None:
        super().__init__(str(path), _Visitor)
        path.chmod(0o600)
        self.door = door


def serve(path: Path, door: Door) -> None:
    """Keep the door open until the process ends."""
    server = DoorServer(path, door)
    server.serve_forever(0.2)
