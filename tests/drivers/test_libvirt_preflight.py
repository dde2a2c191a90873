"""Each check before a move, with two hosts and a VM that say what a test wants them to say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import libvirt
import pytest

from tests.drivers.test_libvirt_words import libvirt_error
from xenweb.core.facts import Kind
from xenweb.core.placement import Finding, Severity
from xenweb.core.quantities import GIB, MIB, Bytes
from xenweb.drivers.contract import CopiedDisk, Endpoint, HostUnreachableError, MigrationPlan, MoveOptions, Preflight
from xenweb.drivers.libvirt_driver import preflight
from xenweb.drivers.libvirt_driver.checks.processor import missing_features
from xenweb.drivers.libvirt_driver.inventory import networks_of

PATH = "/srv/shared/db.img"
CAPABILITIES = """<capabilities><host><uuid>{uuid}</uuid><cpu><arch>x86_64</arch><model>Skylake</model></cpu></host>
<guest><arch name='x86_64'><emulator>/usr/bin/qemu</emulator><machine>pc-7.2</machine></arch></guest></capabilities>"""
VM = """<domain type='{kind}'><memory unit='GiB'>1</memory><os><type arch='x86_64' machine='pc-7.2'>hvm</type></os>
<cpu mode='{cpu}'><model>Skylake</model></cpu><devices><emulator>/usr/bin/qemu</emulator>
<disk type='file' device='disk'><source file='{path}'/><target dev='vda'/></disk>
<interface type='network'><source network='lan'/></interface>{more}</devices></domain>"""


@dataclass
class Volume:
    """A volume as one host sees it."""

    capacity: int = 32 * MIB
    changed: list[str] = field(default_factory=lambda: ["100.5"])
    volume_key: str = PATH
    pool: str = "<pool type='dir'><uuid>p-1</uuid></pool>"

    def name(self) -> str:
        return PATH.rpartition("/")[2]

    def storagePoolLookupByVolume(self) -> "Answering":  # noqa: N802 - libvirt's name
        if not self.pool:
            raise libvirt_error(libvirt.VIR_ERR_NO_STORAGE_POOL, "no such pool")
        return Answering(XMLDesc=self.pool)

    def info(self) -> list[int]:
        return [0, self.capacity, 4096]

    def key(self) -> str:
        return self.volume_key

    def path(self) -> str:
        return PATH

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802 - libvirt's name
        said = self.changed.pop(0) if len(self.changed) > 1 else self.changed[0]
        return f"<volume><target><timestamps><mtime>{said}</mtime></timestamps></target></volume>"


@dataclass
class Other:
    """Another VM that a host knows."""

    uuid: str
    named: str
    active: bool = False

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's name
        return self.uuid

    def name(self) -> str:
        return self.named

    def isActive(self) -> int:  # noqa: N802 - libvirt's name
        return int(self.active)


class Answering:
    """Answers every call that was laid down for it; raises what was laid down as an error."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(*_arguments: object) -> Any:
            said = self.answers[name]
            if isinstance(said, Exception):
                raise said
            return said

        return answer


def a_vm(kind: str = "qemu", cpu: str = "custom", path: str = PATH, more: str = "", **answers: Any) -> Answering:
    usual = {
        "XMLDesc": VM.format(kind=kind, cpu=cpu, path=path, more=more),
        "state": [libvirt.VIR_DOMAIN_RUNNING, 0],
        "jobStats": {"type": 0},
        "controlInfo": [0, 0, 0],
        "isActive": 1,
        "isPersistent": 1,
        "blockJobInfo": {},
        "memoryStats": {"rss": 64 * 1024},
    }
    return Answering(**usual | answers)


def a_host(name: str, **answers: Any) -> Answering:
    usual = {
        "getType": "QEMU",
        "getVersion": 7_002_022,
        "getLibVersion": 9_000_000,
        "getCapabilities": CAPABILITIES.format(uuid=f"uuid of {name}"),
        "getHostname": name,
        "getMemoryStats": {"total": 8 * GIB // 1024, "free": 4 * GIB // 1024},
        "compareHypervisorCPU": libvirt.VIR_CPU_COMPARE_SUPERSET,
        "listAllDomains": [],
        "listNetworks": ["lan"],
        "listDefinedNetworks": [],
        "listInterfaces": ["eth0"],
        "listAllStoragePools": [],
        "storageVolLookupByPath": Volume(),
        "isAlive": 1,
    }
    return Answering(**usual | answers)


def found(**answers: Any) -> list[Finding]:
    """Answer what the preflight of vm-1 finds, with these answers."""
    return list(said(**answers).findings)


def said(
    *,
    vm: Answering | Exception | None = None,
    source: Answering | Exception | None = None,
    target: Answering | Exception | None = None,
    address: str = "192.0.2.2",
    uri: str = "qemu+ssh://host-b/system",
    kind: Kind = Kind.LIVE,
    copied: tuple[CopiedDisk, ...] = (),
) -> Preflight:
    """Make the preflight of vm-1 from host-a to host-b with these answers."""
    ends = Endpoint(1, "host-a", "qemu://a/system"), Endpoint(2, "host-b", uri, address)
    plan = MigrationPlan("m", "u-1", "vm-1", *ends, MoveOptions(), kind=kind, copied_disks=copied)
    hosts = {1: source or a_host("host-a"), 2: target or a_host("host-b")}
    if isinstance(hosts[1], Answering):
        hosts[1].answers["lookupByUUIDString"] = vm or a_vm()

    def reach(endpoint: Endpoint) -> Any:
        host = hosts[endpoint.host]
        if isinstance(host, Exception):
            raise host
        return host

    return preflight.preflight_of(plan, reach)


def heavy(findings: list[Finding]) -> list[str]:
    return [each.code for each in findings if each.severity is not Severity.NOTE]


def one(findings: list[Finding], code: str) -> Finding:
    [only] = [each for each in findings if each.code == code]
    assert only.sentence.endswith(".")
    assert "u-1" not in only.sentence
    return only


def silent(host: str) -> HostUnreachableError:
    return HostUnreachableError(f"{host} does not answer.", host=host)


@pytest.mark.parametrize("is_persistent", [True, False])
def test_the_same_call_for_a_person_keeps_a_definition_only_where_there_is_one(is_persistent: bool) -> None:
    command = said(vm=a_vm(isPersistent=int(is_persistent))).command
    assert ("--persistent" in command, "--undefinesource" in command) == (is_persistent, is_persistent)


def test_two_fit_hosts_leave_only_notes_of_what_was_proven_and_what_cannot_be() -> None:
    findings = found()
    assert heavy(findings) == []
    assert {each.code for each in findings} == {"connection_not_checked", "disk_same", "unfenced"}


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({"target": a_host("host-b", getVersion=7_002_021)}, "hypervisor_older", "QEMU 7.2.21"),
        ({"target": a_host("host-b", getLibVersion=8_000_000)}, "daemon_older", "8.0.0"),
        (
            {"target": a_host("host-b", getCapabilities=CAPABILITIES.format(uuid="uuid of host-a"))},
            "host_uuid_same",
            "host-a and host-b",
        ),
        ({"target": a_host("localhost.localdomain"), "address": ""}, "target_name_local", "localhost"),
        ({"uri": "qemu:///system"}, "target_address_local", "host-b"),
        (
            {
                "target": a_host(
                    "host-b",
                    getCapabilities=CAPABILITIES.format(uuid="b").replace("/usr/bin/qemu", "/usr/libexec/kvm"),
                    getDomainCapabilities=libvirt_error(libvirt.VIR_ERR_INVALID_ARG, "no such emulator"),
                )
            },
            "emulator_missing",
            "/usr/bin/qemu",
        ),
        (
            {"target": a_host("host-b", getCapabilities=CAPABILITIES.format(uuid="b").replace("pc-7.2", "pc-6.2"))},
            "machine_type_missing",
            "pc-7.2",
        ),
        ({"target": a_host("host-b", getMemoryStats={"free": 512 * 1024})}, "memory_tight_now", "holds 64 MiB"),
        ({"vm": a_vm(state=[libvirt.VIR_DOMAIN_PAUSED, 1])}, "vm_state_changed", "vm-1 is paused on host-a"),
        (
            {"vm": a_vm(jobStats={"type": 2, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP})},
            "vm_busy",
            "backed up",
        ),
        (
            {"vm": a_vm(jobStats={"type": 2, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT})},
            "vm_busy",
            "snapshot",
        ),
        ({"vm": a_vm(jobStats={"type": 2})}, "vm_busy", "worked on"),
        (
            {"vm": a_vm(jobStats=libvirt_error(libvirt.VIR_ERR_OPERATION_TIMEOUT, "cannot acquire state change lock"))},
            "vm_busy",
            "worked on",
        ),
        ({"vm": a_vm(controlInfo=[libvirt.VIR_DOMAIN_CONTROL_ERROR, 3, 0])}, "vm_not_answering", "host-a"),
        (
            {"vm": a_vm(blockJobInfo={"type": libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY})},
            "disk_busy",
            "Disk vda of vm-1 is being copied",
        ),
        (
            {"target": a_host("host-b", listAllDomains=[Other("u-1", "vm-1", active=True)])},
            "vm_runs_there",
            "vm-1 running already",
        ),
        ({"target": a_host("host-b", listAllDomains=[Other("u-1", "twin")])}, "uuid_taken", "twin"),
        ({"target": a_host("host-b", listAllDomains=[Other("u-2", "vm-1")])}, "name_taken", "another VM called vm-1"),
        pytest.param(
            {"target": a_host("host-b", listNetworks=[])},
            "network_missing",
            "no network lan",
            marks=pytest.mark.fault("F29", oracle="the scripted target: it has no such network, and is named with it"),
        ),
        ({"target": a_host("host-b", listNetworks=[], listDefinedNetworks=["lan"])}, "network_inactive", "lan"),
        (
            {
                "target": a_host(
                    "host-b", storageVolLookupByPath=libvirt_error(libvirt.VIR_ERR_NO_STORAGE_VOL, "no such volume")
                )
            },
            "disk_not_there",
            PATH,
        ),
        ({"target": a_host("host-b", storageVolLookupByPath=Volume(capacity=MIB))}, "disk_differs", "1 MiB on host-b"),
        (
            {"target": a_host("host-b", storageVolLookupByPath=Volume(changed=["99.0"]))},
            "disk_identity_unproven",
            "different moments",
        ),
        (
            {"source": a_host("host-a", storageVolLookupByPath=libvirt_error(libvirt.VIR_ERR_NO_STORAGE_VOL, "none"))},
            "disk_identity_unproven",
            "no storage repository of host-a",
        ),
    ],
)
def test_each_obstacle_is_told_by_its_code_and_its_names(answers: dict[str, Any], code: str, words: str) -> None:
    findings = found(**answers)
    assert heavy(findings) == [code]
    assert words in one(findings, code).sentence


def test_missing_cpu_features_are_named_in_the_sentence_and_as_facts() -> None:
    error = libvirt_error(
        libvirt.VIR_ERR_CPU_INCOMPATIBLE,
        "the CPU is incompatible with host CPU: Host CPU does not provide required features: sse4.2, aes",
    )
    finding = one(found(target=a_host("host-b", compareHypervisorCPU=error)), "cpu_incompatible")
    assert finding.sentence == "The CPU of host-b lacks sse4.2, aes, which vm-1 uses."
    assert dict(finding.facts) == {"missing_features": ("sse4.2", "aes")}
    assert not finding.is_overridable


def test_an_incompatible_cpu_without_names_is_told_in_the_words_of_libvirt() -> None:
    error = libvirt_error(libvirt.VIR_ERR_CPU_INCOMPATIBLE, "the CPU is incompatible with host CPU")
    finding = one(found(target=a_host("host-b", compareHypervisorCPU=error)), "cpu_incompatible")
    assert "incompatible with host CPU" in finding.sentence
    assert missing_features("nothing is named") == ()


def test_a_vm_with_the_cpu_of_its_host_is_compared_by_the_hosts_themselves() -> None:
    error = libvirt_error(libvirt.VIR_ERR_CPU_INCOMPATIBLE, "Host CPU does not provide required features: avx512f")
    target = a_host("host-b", compareCPU=error)
    assert "avx512f" in one(found(vm=a_vm(cpu="host-passthrough"), target=target), "cpu_incompatible").sentence


def test_a_hypervisor_that_cannot_compare_cpus_says_that_nothing_was_checked() -> None:
    error = libvirt_error(libvirt.VIR_ERR_NO_SUPPORT, "this function is not supported")
    findings = found(target=a_host("host-b", compareHypervisorCPU=error))
    assert one(findings, "cpu_not_compared").severity is Severity.NOTE
    assert heavy(findings) == []


def test_a_daemon_that_cannot_tell_its_bridges_still_tells_its_networks() -> None:
    error = libvirt_error(libvirt.VIR_ERR_NO_CONNECT, "Failed to connect socket to virtinterfaced")
    assert heavy(found(target=a_host("host-b", listInterfaces=error))) == []
    assert networks_of(a_host("host-b", listInterfaces=error)) == ("lan",)
    assert networks_of(a_host("host-b", listNetworks=error)) == ("eth0",)


def test_a_bridge_of_the_host_is_a_network_too() -> None:
    more = "<interface type='bridge'><source bridge='br0'/></interface>"
    assert heavy(found(vm=a_vm(more=more))) == ["network_missing"]
    assert heavy(found(vm=a_vm(more=more), target=a_host("host-b", listInterfaces=["br0"]))) == []


def test_a_disk_that_the_move_copies_is_not_looked_for_but_its_place_is() -> None:
    copied = CopiedDisk("vda", PATH, Bytes(32 * MIB))
    folder = Answering(
        XMLDesc="<pool type='dir'><target><path>/srv/shared</path></target></pool>",
        refresh=None,
        info=[0, 0, 0, 16 * MIB],
        name="local",
    )
    missing = libvirt_error(libvirt.VIR_ERR_NO_STORAGE_VOL, "no such volume")
    nowhere = a_host("host-b", storageVolLookupByPath=missing)
    small = a_host("host-b", storageVolLookupByPath=missing, listAllStoragePools=[folder])
    assert heavy(found(target=nowhere, copied=(copied,))) == ["disk_not_there"]
    assert heavy(found(target=small, copied=(copied,))) == ["storage_full"]
    assert heavy(found(copied=(copied,), target=a_host("host-b", listAllStoragePools=[folder]))) == ["disk_exists"]


def test_a_halted_vm_takes_no_memory_and_must_not_be_defined_there_already() -> None:
    halted = a_vm(state=[libvirt.VIR_DOMAIN_SHUTOFF, 1], isActive=0)
    tight = {"getMemoryStats": {"free": 1024}, "listAllDomains": [Other("u-1", "vm-1")]}
    assert heavy(found(vm=halted, kind=Kind.COLD, target=a_host("host-b", **tight))) == ["definition_there"]


def test_each_device_of_the_host_is_named() -> None:
    more = "".join(
        f"<hostdev type='pci'><source><address domain='0' bus='0x0{bus}' slot='0' function='0'/></source></hostdev>"
        for bus in (3, 4)
    )
    named = [each.sentence for each in found(vm=a_vm(more=more)) if each.code == "host_device"]
    assert ["0:03:0.0" in named[0], "0:04:0.0" in named[1]] == [True, True]


def test_a_busy_disk_is_the_same_if_the_target_sees_it_between_two_looks_of_the_source() -> None:
    source = a_host("host-a", storageVolLookupByPath=Volume(changed=["100.1", "100.3"]))
    target = a_host("host-b", storageVolLookupByPath=Volume(changed=["100.2"]))
    proven = dict(one(found(source=source, target=target), "disk_same").facts)["proven"]
    assert proven == ("path", "size", "moment of its last change")


SERVED = (
    "<pool type='netfs'><uuid>{uuid}</uuid><source><host name='{server}'/><dir path='{folder}'/></source>"
    "<target><path>/srv/shared</path></target></pool>"
)


def served(uuid: str, server: str = "nas", folder: str = "/vol1") -> str:
    return SERVED.format(uuid=uuid, server=server, folder=folder)


def test_a_busy_disk_on_one_place_of_one_server_is_the_same_whatever_a_clients_memory_says_of_its_moments() -> None:
    source = a_host("host-a", storageVolLookupByPath=Volume(changed=["100.1"], pool=served("p-1")))
    target = a_host("host-b", storageVolLookupByPath=Volume(changed=["90.0"], pool=served("p-2")))
    findings = found(source=source, target=target)
    assert heavy(findings) == []
    assert dict(one(findings, "disk_same").facts)["proven"] == ("path", "size", "place on the server of its storage")


@pytest.mark.parametrize(
    "there",
    [served("p-1", folder="/vol2"), served("p-1", server="nas2"), "<pool type='dir'><uuid>p-1</uuid></pool>", ""],
)
def test_disks_of_two_places_are_still_told_apart_by_their_last_change(there: str) -> None:
    source = a_host("host-a", storageVolLookupByPath=Volume(pool=served("p-1")))
    target = a_host("host-b", storageVolLookupByPath=Volume(changed=["90.0"], pool=there))
    assert heavy(found(source=source, target=target)) == ["disk_identity_unproven"]


@pytest.mark.parametrize("server", ["localhost", "127.0.0.1", "::1"])
def test_a_server_that_each_host_calls_itself_is_not_one_server(server: str) -> None:
    source = a_host("host-a", storageVolLookupByPath=Volume(pool=served("p-1", server=server)))
    target = a_host("host-b", storageVolLookupByPath=Volume(changed=["90.0"], pool=served("p-1", server=server)))
    assert heavy(found(source=source, target=target)) == ["disk_identity_unproven"]


@pytest.mark.parametrize(("there", "code"), [("lv-1", "disk_same"), ("lv-2", "disk_differs")])
def test_a_volume_with_a_key_of_its_own_is_told_by_it(there: str, code: str) -> None:
    source = a_host("host-a", storageVolLookupByPath=Volume(volume_key="lv-1"))
    target = a_host("host-b", storageVolLookupByPath=Volume(volume_key=there))
    assert one(found(source=source, target=target), code)


def test_what_the_hosts_do_not_say_of_a_disk_is_a_warning_and_no_proof() -> None:
    target = a_host("host-b", storageVolLookupByPath=Volume(changed=[""]))
    assert one(found(target=target), "disk_identity_unproven").severity is Severity.WARNING


def test_a_disk_that_contradicts_itself_is_a_blocker_that_a_person_may_override() -> None:
    target = a_host("host-b", storageVolLookupByPath=Volume(changed=["99.0"]))
    assert one(found(target=target), "disk_identity_unproven").is_overridable


def test_a_disk_over_the_network_is_not_checked_and_says_so() -> None:
    assert one(found(vm=a_vm(path="rbd/db")), "disk_not_checked").severity is Severity.NOTE


def test_clocks_are_a_note_only_where_the_guest_takes_its_hosts_time() -> None:
    assert one(found(vm=a_vm(kind="kvm")), "clocks_not_compared").severity is Severity.NOTE
    assert "clocks_not_compared" not in [each.code for each in found()]


def test_a_silent_target_is_named_and_the_vm_is_checked_all_the_same() -> None:
    findings = found(target=silent("host-b"), vm=a_vm(jobStats={"type": 2}))
    assert heavy(findings) == ["host_unreachable", "vm_busy"]
    assert "host-b" in one(findings, "host_unreachable").sentence


def test_a_silent_source_is_named_and_the_target_is_checked_all_the_same() -> None:
    findings = found(source=silent("host-a"), target=a_host("host-b", listAllDomains=[Other("u-2", "vm-1")]))
    assert heavy(findings) == ["source_unreachable", "name_taken"]


def test_a_vm_that_its_host_does_not_know_is_said_to_be_missing() -> None:
    error = libvirt_error(libvirt.VIR_ERR_NO_DOMAIN, "Domain not found")
    assert heavy(found(vm=error)) == ["vm_missing"]


def test_a_host_that_is_lost_during_the_checks_stops_the_move() -> None:
    gone = libvirt_error(libvirt.VIR_ERR_RPC, "client socket is closed")
    findings = found(target=a_host("host-b", isAlive=0, listAllDomains=gone, listNetworks=gone))
    assert heavy(findings) == ["check_failed", "check_failed", "host_unreachable"]


BROKEN = libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR, "internal error: something broke")
FAILURES = [
    ("target", "getLibVersion", "the versions"),
    ("source", "getCapabilities", "the hosts' own UUIDs"),
    ("target", "getHostname", "the way between the hosts"),
    ("target", "compareHypervisorCPU", "the CPU"),
    ("target", "getMemoryStats", "the memory at this moment"),
    ("vm", "jobStats", "other work on the VM"),
    ("vm", "blockJobInfo", "work on the disks"),
    ("target", "listAllDomains", "names and UUIDs"),
    ("target", "listNetworks", "the networks"),
    ("target", "storageVolLookupByPath", "disk vda"),
]


@pytest.mark.parametrize("error", [BROKEN, ValueError("not foreseen")])
@pytest.mark.parametrize(("who", "call", "subject"), FAILURES)
def test_a_check_that_fails_is_a_warning_with_its_name_and_hides_no_other(
    who: str, call: str, subject: str, error: Exception
) -> None:
    fit = {"source": a_host("host-a"), "target": a_host("host-b"), "vm": a_vm(more="<hostdev type='pci'/>")}
    fit[who].answers[call] = error
    findings = found(**fit)
    assert sorted(heavy(findings)) == ["check_failed", "host_device"]
    failed = one(findings, "check_failed")
    assert failed.severity is Severity.WARNING
    assert dict(failed.facts)["check"] == subject


LEASE = "<lease><lockspace>guests</lockspace><key>vm-1</key><target path='/srv'/></lease>"


def test_a_vm_without_a_lease_may_run_twice_and_is_told_what_helps() -> None:
    unfenced = one(found(), "unfenced")
    assert "if the libvirt daemon of host-b dies in the moment of the hand-over" in unfenced.sentence
    assert "virtlockd" in unfenced.remedy


def test_a_vm_with_a_lease_is_fenced_by_it_as_far_as_its_hosts_have_a_lock_manager() -> None:
    findings = found(vm=a_vm(more=LEASE))
    fenced = one(findings, "fenced")
    assert dict(fenced.facts)["leases"] == "vm-1"
    assert "cannot be asked through libvirt" in fenced.sentence
    assert "unfenced" not in {each.code for each in findings}


@pytest.mark.parametrize("kind", [Kind.PAUSED, Kind.COLD])
def test_a_vm_that_does_not_run_has_nothing_to_be_fenced_from(kind: Kind) -> None:
    assert not {"fenced", "unfenced"} & {each.code for each in found(kind=kind)}
