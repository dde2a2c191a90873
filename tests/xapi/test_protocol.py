"""The simulated pools speak as real ones do: what a client that was written for XAPI would trip over otherwise."""

import http.client
import itertools
import json
import ssl
import xmlrpc.client
from typing import Any

import pytest

from tests.xapi.moving import until
from tests.xapi.process import PASSWORD, Pools
from xenweb.drivers.xapi_driver.pools import Pools as Reached
from xenweb.drivers.xapi_driver.reading import READ


def post(xapi: Pools, path: str, body: str, host: str = "host-c") -> tuple[int, str, str]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(xapi.address(host), xapi.port, context=context, timeout=10)
    connection.request("POST", path, body)
    answer = connection.getresponse()
    return answer.status, answer.headers["Content-Type"], answer.read().decode()


class Client:
    """A plain client of the standard library, as scripts for XAPI use it."""

    def __init__(self, xapi: Pools, host: str = "host-c", user: str = "root") -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.raw = xmlrpc.client.ServerProxy(f"https://{xapi.address(host)}:{xapi.port}/", context=context)
        self.session = self.call("session.login_with_password", user, PASSWORD, session=False)

    def call(self, method: str, *params: Any, session: bool = True) -> Any:
        said = self.raw.__getattr__(method)(*([self.session] if session else []), *params)
        if said["Status"] == "Failure":
            raise LookupError(*said["ErrorDescription"])
        return said["Value"]


def refused(client: Client, method: str, *params: Any) -> tuple[str, ...]:
    with pytest.raises(LookupError) as caught:
        client.call(method, *params)
    return caught.value.args


def test_the_content_types_are_exactly_those_that_clients_compare_with(xapi: Pools) -> None:
    call = xmlrpc.client.dumps(("OpaqueRef:NULL",), "VM.get_all")
    for path in ("/", "/RPC2"):
        assert post(xapi, path, call)[:2] == (200, "text/xml")
    for path in ("/jsonrpc", "/json"):
        assert post(xapi, path, json.dumps({"method": "VM.get_all", "params": ["x"], "id": 1}))[:2] == (
            200,
            "application/json",
        )
    assert post(xapi, "/", "<no")[0] == 500
    assert post(xapi, "/jsonrpc", '{"jsonrpc": "2.0", "method": "VM.get_all", "id": 0}')[0] == 500
    assert post(xapi, "/elsewhere", call)[0] == 404


def test_both_versions_of_json_rpc_are_answered_in_their_own_form(xapi: Pools) -> None:
    words = ["root", PASSWORD, "1.0", "test"]
    new = json.loads(
        post(
            xapi,
            "/jsonrpc",
            json.dumps({"jsonrpc": "2.0", "method": "session.login_with_password", "params": words, "id": "a"}),
        )[2]
    )
    assert set(new) == {"jsonrpc", "result", "id"}
    session = new["result"]
    host = json.loads(post(xapi, "/jsonrpc", json.dumps({"method": "host.get_all", "params": [session], "id": 2}))[2])
    assert host["error"] is None
    free = {"jsonrpc": "2.0", "method": "host.compute_free_memory", "params": [session, host["result"][0]], "id": 3}
    assert json.loads(post(xapi, "/jsonrpc", json.dumps(free))[2])["result"].isdigit(), "a number travels as text"
    bad = {"jsonrpc": "2.0", "method": "VM.get_record", "params": [session, "OpaqueRef:x"], "id": 4}
    error = json.loads(post(xapi, "/jsonrpc", json.dumps(bad))[2])["error"]
    assert error == {"code": 1, "message": "HANDLE_INVALID", "data": ["VM", "OpaqueRef:x"]}
    del bad["jsonrpc"]
    assert json.loads(post(xapi, "/jsonrpc", json.dumps(bad))[2])["error"] == ["HANDLE_INVALID", "VM", "OpaqueRef:x"]


def test_calls_are_known_by_both_names_and_counted_strictly(xapi: Pools) -> None:
    client = Client(xapi)
    assert client.call("VM_get_all") == client.call("VM.get_all")
    assert refused(client, "VM.get_all", "more") == ("MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_all", "1", "2")
    assert refused(client, "VM.fly") == ("MESSAGE_METHOD_UNKNOWN", "VM.fly")
    assert refused(client, "Async.VM.get_all")[0] == "Fault"
    assert refused(client, "VM.snapshot_with_quiesce", "x", "y") == ("MESSAGE_REMOVED",)
    assert refused(client, "event.from", ["vm"], "", 1) == ("FIELD_TYPE_ERROR", "timeout")
    assert isinstance(client.raw.system.listMethods(), list), "not wrapped in a status"


def test_a_member_names_the_coordinator_whoever_asks(xapi: Pools) -> None:
    with pytest.raises(LookupError) as caught:
        Client(xapi, "host-a")
    assert caught.value.args == ("HOST_IS_SLAVE", xapi.address("host-c"))


def test_events_are_gathered_and_a_token_is_a_barrier(xapi: Pools) -> None:
    client = Client(xapi)
    first = client.call("event.from", ["*"], "", 0.0)
    assert {event["operation"] for event in first["events"]} == {"add"}
    assert all(type(count) is int for count in first["valid_ref_counts"].values()), "counts travel as numbers"
    vm = client.call("VM.get_by_name_label", "web-1")[0]
    for number in range(5):
        client.call("VM.set_name_description", vm, str(number))
    second = client.call("event.from", ["vm"], first["token"], 5.0)
    (event,) = second["events"]
    assert (event["class"], event["operation"], event["ref"], event["timestamp"]) == ("vm", "mod", vm, "0.0")
    assert event["snapshot"]["name_description"] == "4", "one event a record, with its last state"
    nothing = client.call("event.from", ["vm"], second["token"], 0.2)
    assert nothing["events"] == []
    assert client.call("event.inject", "vm", vm) > nothing["token"]
    assert refused(client, "event.from", ["vm"], "nonsense", 0.0) == ("EVENT_FROM_TOKEN_PARSE_FAILURE", "nonsense")
    xapi.do("remove", vm="web-1")
    third = client.call("event.from", ["vm"], second["token"], 5.0)
    gone = [each for each in third["events"] if each["operation"] == "del"]
    assert [each["ref"] for each in gone] == [vm]
    assert "snapshot" not in gone[0]


def test_a_task_lives_as_tasks_do(xapi: Pools) -> None:
    xapi.do("set", pause=0.5)
    client = Client(xapi)
    vm = client.call("VM.get_by_name_label", "web-1")[0]
    host = client.call("host.get_by_name_label", "host-b")[0]
    ref = client.call("Async.VM.pool_migrate", vm, host, {})
    seen: list[tuple[float, tuple[str, ...]]] = []

    def is_over() -> bool:
        record = client.call("task.get_record", ref)
        seen.append((record["progress"], tuple(record["allowed_operations"])))
        return record["status"] != "pending"

    until(is_over)
    record = client.call("task.get_record", ref)
    assert (record["name_label"], record["status"], record["result"]) == ("Async.VM.pool_migrate", "success", "")
    assert record["progress"] == 1.0
    progress = [each for each, _ in seen]
    assert any(after < before for before, after in itertools.pairwise(progress)), "it starts anew"
    assert [may for _, may in seen] == sorted((may for _, may in seen), reverse=True), (
        "once it may not be ended it never may"
    )
    assert client.call("VM.get_resident_on", vm) == host
    failing = client.call("Async.VM.pool_migrate", vm, "OpaqueRef:x", {})
    until(lambda: client.call("task.get_status", failing) == "failure")
    assert client.call("task.get_error_info", failing) == ["HANDLE_INVALID", "host", "OpaqueRef:x"]
    assert client.call("task.get_progress", failing) == 1.0, "an end is an end, of whatever kind"


def test_tasks_of_others_are_ended_only_by_those_who_may(xapi: Pools) -> None:
    xapi.do("set", link=2.0 * 2**20)
    mover, reader = Client(xapi, user="mover"), Client(xapi, user="reader")
    vm = mover.call("VM.get_by_name_label", "web-1")[0]
    host = mover.call("host.get_by_name_label", "host-b")[0]
    ref = mover.call("Async.VM.pool_migrate", vm, host, {})
    assert refused(reader, "Async.VM.pool_migrate", vm, host, {})[0] == "RBAC_PERMISSION_DENIED"
    until(lambda: mover.call("VM.get_current_operations", vm) == {ref: "pool_migrate"})
    mover.call("task.cancel", ref)
    until(lambda: mover.call("task.get_status", ref) == "cancelled")
    assert mover.call("VM.get_power_state", vm) == "Running"


def test_both_hosts_are_charged_while_a_vm_moves_and_memory_adds_up_afterwards(xapi: Pools) -> None:
    xapi.do("set", link=8.0 * 2**20)
    client = Client(xapi)
    vm = client.call("VM.get_by_name_label", "web-1")[0]
    source, target = (client.call("host.get_by_name_label", name)[0] for name in ("host-a", "host-b"))

    def free() -> list[int]:
        return [int(client.call("host.compute_free_memory", host)) for host in (source, target)]

    before = free()
    size = int(client.call("VM.get_memory_dynamic_max", vm)) + int(client.call("VM.get_memory_overhead", vm))
    ref = client.call("Async.VM.pool_migrate", vm, target, {})
    until(lambda: free() == [before[0], before[1] - size])
    until(lambda: client.call("task.get_status", ref) == "success")
    assert free() == [before[0] + size, before[1] - size]


def test_a_host_is_emptied_or_says_which_vm_is_in_the_way(xapi: Pools) -> None:
    client = Client(xapi)
    crowded, free = (client.call("host.get_by_name_label", name)[0] for name in ("host-b", "host-a"))
    code, groups = refused(client, "host.assert_can_evacuate", crowded)
    assert code == "CANNOT_EVACUATE_HOST"
    assert {group.split(",")[0] for group in groups.split("|")} == {"OPERATION_BLOCKED", "VM_REQUIRES_SR"}
    client.call("host.disable", free)
    ref = client.call("Async.host.evacuate", free)
    until(lambda: client.call("task.get_status", ref) == "success", 40)
    assert len(client.call("host.get_resident_VMs", free)) == 1, "only its own domain is left"


def test_what_the_pools_do_not_do_is_said_to_be_so(xapi: Pools) -> None:
    assert refused(Client(xapi), "VM.clone", "OpaqueRef:x", "copy") == ("NOT_IMPLEMENTED", "VM.clone")


def test_of_the_records_of_every_class_only_what_is_read_is_kept_at_first_and_when_they_change(xapi: Pools) -> None:
    view = Reached().reach(xapi.endpoint("host-a")).view
    first = view.look()
    for kind, name, field in (("VM", "web-1", "name_description"), ("host", "host-a", "name_description")):
        xapi.do("field", **{"class": kind, "name": name, "field": field, "value": "changed"})
    xapi.do("field", **{"class": "host", "name": "host-b", "field": "enabled", "value": False})
    second = view.look()
    assert [each.flag("enabled") for each in second["host"].values()].count(False) == 1, "it was read anew"
    for tables in (first, second):
        assert set(tables) == set(READ)
        for kind, table in tables.items():
            assert table, kind
            assert {name for record in table.values() for name in record.said} == READ[kind], kind
