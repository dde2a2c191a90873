"""The calls that the simulated pool answers, beside those that every class has."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from xenweb.lab.xapi import checks, moves
from xenweb.lab.xapi.errands import Errand
from xenweb.lab.xapi.events import events_from, token
from xenweb.lab.xapi.model import NULL, ROLES, Value, model
from xenweb.lab.xapi.pool import Pool
from xenweb.lab.xapi.store import moment
from xenweb.lab.xapi.wire import XapiError

if TYPE_CHECKING:
    from xenweb.lab.xapi.dispatch import Site


@dataclass(frozen=True, slots=True)
class Context:
    """One call: who makes it, in which pool, and the task that it runs as."""

    site: "Site"
    pool: Pool
    session: str
    errand: Errand


Handler = Callable[[Context, list[Value]], Value]
HANDLERS: dict[str, Handler] = {}


def handles(name: str) -> Callable[[Handler], Handler]:
    """Register a function as the answer to a call."""

    def register(handler: Handler) -> Handler:
        HANDLERS[name] = handler
        return handler

    return register


def _text(value: Value) -> str:
    return str(value)


def _map(value: Value) -> dict[str, str]:
    return {key: str(each) for key, each in cast("Mapping[str, Value]", value).items()}


@handles("session.logout")
def _logout(context: Context, params: list[Value]) -> Value:
    del params
    context.pool.logouts += 1
    context.pool.store.remove("session", context.session)
    return ""


@handles("session.get_rbac_permissions")
def _permissions(context: Context, params: list[Value]) -> Value:
    letter = ROLES[context.site.role_of(_text(params[0]))]
    kinds = model().classes.values()
    return [
        f"{kind.name}.{call.name}".lower() for kind in kinds for call in kind.calls.values() if letter in call.roles
    ]


@handles("event.from")
def _event_from(context: Context, params: list[Value]) -> Value:
    classes = [str(each) for each in cast("list[Value]", params[0])]
    return events_from(context.pool.store, classes, _text(params[1]), float(cast("float", params[2])))


@handles("event.inject")
def _event_inject(context: Context, params: list[Value]) -> Value:
    kinds = {kind.lower(): kind for kind in context.pool.store.tables}
    kind = kinds.get(_text(params[0]).lower(), "")
    if not kind:
        raise XapiError("EVENT_SUBSCRIPTION_PARSE_FAILURE", _text(params[0]))
    return token(context.pool.store.touch(kind, _text(params[1])))


@handles("event.get_current_id")
def _current_id(context: Context, params: list[Value]) -> Value:
    del params
    return context.pool.store.generation


@handles("task.cancel")
def _cancel(context: Context, params: list[Value]) -> Value:
    context.site.errands(context.pool).cancel(_text(params[0]))
    return ""


@handles("task.destroy")
def _task_destroy(context: Context, params: list[Value]) -> Value:
    store, ref = context.pool.store, _text(params[0])
    if store.text("task", ref, "status") != "pending":
        store.remove("task", ref)
    return ""


@handles("host.compute_free_memory")
def _free_memory(context: Context, params: list[Value]) -> Value:
    context.pool.place(_text(params[0]))
    return context.pool.memory_free(_text(params[0]))


@handles("host.get_servertime")
def _servertime(context: Context, params: list[Value]) -> Value:
    context.pool.place(_text(params[0]))
    return moment()


@handles("host.disable")
def _disable(context: Context, params: list[Value]) -> Value:
    context.pool.store.record("host", _text(params[0]))
    checks.may_be_disabled(context.pool, _text(params[0]))
    context.pool.store.set("host", _text(params[0]), enabled=False)
    return ""


@handles("host.enable")
def _enable(context: Context, params: list[Value]) -> Value:
    context.pool.store.set("host", _text(params[0]), enabled=True)
    return ""


@handles("host.get_vms_which_prevent_evacuation")
def _preventing(context: Context, params: list[Value]) -> Value:
    pool, host, found = context.pool, _text(params[0]), dict[str, Value]()
    store = pool.store
    for vm in store.listed("host", host, "resident_VMs"):
        if store.flag("VM", vm, "is_control_domain"):
            continue
        error = _why_it_stays(pool, vm, host)
        if error is not None:
            found[vm] = list(error.description)
    return found


def _why_it_stays(pool: Pool, vm: str, host: str) -> XapiError | None:
    store = pool.store
    is_protected = store.text("VM", vm, "ha_restart_priority") == "restart"
    if store.flag("pool", pool.ref, "ha_enabled") and not is_protected:
        return XapiError("HOST_EVACUATE_VM_NOT_HA_PROTECTED", vm)
    first: XapiError | None = None
    try:
        checks.lifecycle(pool, vm, "pool_migrate")
    except XapiError as error:
        return error
    for each in pool.places:
        if each.ref != host:
            try:
                checks.boots_here(pool, vm, each.ref)
            except XapiError as error:
                first = first or error
            else:
                return None
    return first or XapiError("NO_HOSTS_AVAILABLE")


@handles("host.assert_can_evacuate")
def _can_evacuate(context: Context, params: list[Value]) -> Value:
    blocked = cast("dict[str, list[str]]", _preventing(context, params))
    if blocked:
        raise XapiError("CANNOT_EVACUATE_HOST", "|".join(",".join(each) for each in blocked.values()))
    return ""


@handles("host.evacuate")
def _evacuate(context: Context, params: list[Value]) -> Value:
    _can_evacuate(context, params)
    pool, host = context.pool, _text(params[0])
    store = pool.store
    going = [vm for vm in store.listed("host", host, "resident_VMs") if not store.flag("VM", vm, "is_control_domain")]
    store.put("host", host, "current_operations", context.errand.ref, "evacuate")
    try:
        for done, vm in enumerate(going):
            target = max((each.ref for each in pool.places if each.ref != host), key=pool.memory_free)
            moves.pool_migrate(pool, context.errand, vm, target, {})
            context.errand.progress((done + 1) / len(going))
    finally:
        store.put("host", host, "current_operations", context.errand.ref, None)
    return ""


@handles("host.migrate_receive")
def _receive(context: Context, params: list[Value]) -> Value:
    host, network = _text(params[0]), _text(params[1])
    place = context.pool.place(host)
    context.pool.store.record("network", network)
    secret = context.site.login_inside(context.pool)
    return {
        "SM": f"https://{place.address}/services/SM?session_id={secret}",
        "xenops": f"https://{place.address}/services/xenops?session_id={secret}",
        "host": host,
        "session_id": secret,
        "master": f"https://{context.pool.coordinator.address}/",
    }


def _send(context: Context, params: list[Value]) -> moves.Send:
    sent_to = _map(params[1])
    there = context.site.pool_of_session(sent_to.get("session_id", ""))
    return moves.Send(
        _text(params[0]), there, sent_to.get("host", NULL), _map(params[3]), _map(params[4]), _map(params[5])
    )


@handles("VM.assert_can_migrate")
def _assert_can_migrate(context: Context, params: list[Value]) -> Value:
    moves.assert_can_migrate(context.pool, _send(context, params))
    return ""


@handles("VM.migrate_send")
def _migrate_send(context: Context, params: list[Value]) -> Value:
    return moves.migrate_send(context.pool, context.errand, _send(context, params))


@handles("VM.pool_migrate")
def _pool_migrate(context: Context, params: list[Value]) -> Value:
    return moves.pool_migrate(context.pool, context.errand, _text(params[0]), _text(params[1]), _map(params[2]))


@handles("VM.get_possible_hosts")
def _possible_hosts(context: Context, params: list[Value]) -> Value:
    found: list[Value] = []
    for each in context.pool.places:
        try:
            checks.boots_here(context.pool, _text(params[0]), each.ref, force=True)
        except XapiError:
            continue
        found.append(each.ref)
    return found


@handles("VM.assert_can_boot_here")
def _can_boot_here(context: Context, params: list[Value]) -> Value:
    context.pool.store.record("VM", _text(params[0]))
    context.pool.place(_text(params[1]))
    checks.boots_here(context.pool, _text(params[0]), _text(params[1]))
    return ""


@handles("VM.assert_operation_valid")
def _operation_valid(context: Context, params: list[Value]) -> Value:
    checks.lifecycle(context.pool, _text(params[0]), _text(params[1]))
    return ""


def _power(name: str, state: str) -> None:
    """Register a change of a VM's power that keeps it on its host, or takes it off."""

    @handles(f"VM.{name}")
    def change(context: Context, params: list[Value]) -> Value:
        pool, vm = context.pool, _text(params[0])
        with moves.operation(pool, vm, name, context.errand):
            time.sleep(0.01)
            if state in {"Halted", "Suspended"}:
                moves.halt(pool, vm)
            image = moves.suspend_image(pool, vm) if state == "Suspended" else NULL
            pool.store.set("VM", vm, power_state=state, suspend_VDI=image)
        checks.refresh(pool, vm)
        return ""


def _start(name: str, at: int | None) -> None:
    """Register a start or a resume; ``at`` is the parameter that names the host."""

    @handles(f"VM.{name}")
    def begin(context: Context, params: list[Value]) -> Value:
        pool, vm = context.pool, _text(params[0])
        with moves.operation(pool, vm, name, context.errand):
            host = _text(params[at]) if at is not None else _somewhere(pool, vm)
            checks.boots_here(pool, vm, host)
            flags: Value = {
                "vendor": pool.store.mapped("host", host, "cpu_info")["vendor"],
                "features": pool.store.mapped("host", host, "cpu_info")["features_hvm"],
            }
            tools = pool.store.add("VM_guest_metrics", PV_drivers_detected=True, other={"feature-suspend": "1"})
            pool.reside(vm, host)
            pool.store.set(
                "VM", vm, power_state="Running", last_boot_CPU_flags=flags, guest_metrics=tools, suspend_VDI=NULL
            )
        checks.refresh(pool, vm)
        return ""


def _somewhere(pool: Pool, vm: str) -> str:
    for each in sorted(pool.places, key=lambda place: place.ref != pool.store.text("VM", vm, "affinity")):
        try:
            checks.boots_here(pool, vm, each.ref)
        except XapiError:
            continue
        return each.ref
    raise XapiError("NO_HOSTS_AVAILABLE")


for _name, _state in (
    ("pause", "Paused"),
    ("unpause", "Running"),
    ("clean_shutdown", "Halted"),
    ("hard_shutdown", "Halted"),
    ("suspend", "Suspended"),
):
    _power(_name, _state)
for _name, _at in (("start", None), ("resume", None), ("start_on", 1), ("resume_on", 1)):
    _start(_name, _at)


@handles("VDI.pool_migrate")
def _disk_pool_migrate(context: Context, params: list[Value]) -> Value:
    return moves.disk_pool_migrate(context.pool, context.errand, _text(params[0]), _text(params[1]))


@handles("VDI.destroy")
def _vdi_destroy(context: Context, params: list[Value]) -> Value:
    pool, vdi = context.pool, _text(params[0])
    for vbd in pool.store.listed("VDI", vdi, "VBDs"):
        if pool.store.has("VBD", vbd) and pool.store.flag("VBD", vbd, "currently_attached"):
            raise XapiError("VDI_IN_USE", vdi, "destroy")
    sr = pool.store.text("VDI", vdi, "SR")
    pool.store.set("SR", sr, VDIs=[each for each in pool.store.listed("SR", sr, "VDIs") if each != vdi])
    pool.store.remove("VDI", vdi)
    return ""
