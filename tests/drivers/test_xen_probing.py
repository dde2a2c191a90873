"""The lines from the driver to real probes, whose Xen is a tool that prints what a test wants."""

import time
from pathlib import Path

import pytest

from tests.probe.stand import ENDING, PASSES, Stand
from tests.probe.test_daemon import VM, Xl, begun, guest, started, until
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import Endpoint, MoveRefusedError
from xenweb.drivers.libvirt_driver.xen import moving
from xenweb.drivers.libvirt_driver.xen.probing import Probes, ProbeSilentError
from xenweb.probe import places


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def endpoint(stand: Stand, key: str = "ab" * 32) -> Endpoint:
    return Endpoint(1, "xen1", "xen:///system", probe=f"127.0.0.1:{stand.port}", probe_key=key)


def test_a_whole_move_is_seen_with_its_moments_on_our_own_clock(stand: Stand, tmp_path: Path) -> None:
    xl = Xl(tmp_path)
    stand.configure(xl=str(xl.path))
    daemon, probes, host = started(stand), Probes(), endpoint(stand)
    try:
        before = time.monotonic()
        _, listening = begun(stand, xl, [*PASSES, ("sleep", 0.3), *ENDING])
        until(lambda: [each for each in probes.moves(host, VM) if each.alive and len(each.passes) == 3])
        listening.join()
        [seen] = until(lambda: [each for each in probes.moves(host, VM) if not each.alive])
        assert seen.saves
        assert seen.value == 0
        assert before - 0.5 < seen.began < seen.passes[0].began < time.monotonic()
        assert [each.total for each in seen.passes] == [160 * MIB, 3000 * 4096, 40 * 4096, 12 * 4096]
        assert [each.live for each in seen.passes] == [True, True, True, False]
        assert seen.suspend_asked is not None
        assert moving.completed_of(seen, None, None).transferred == (40960 + 3000 + 40 + 12) * 4096
        xl.has(guest("--p---", "0.0"))
        [copy] = probes.copies(host, VM) or ()
        assert (copy.paused, copy.cpu_time, copy.runs) == (True, 0, False)
        assert probes.answers(host)
        with pytest.raises(MoveRefusedError, match="No move of this VM"):
            probes.do(host, "cancel", VM)
        probes.do(host, "remove_half_built", VM)
        assert probes.copies(host, VM) == ()
    finally:
        daemon.kill()
        daemon.wait()


def test_a_probe_that_is_started_anew_is_spoken_with_again(stand: Stand, tmp_path: Path) -> None:
    xl = Xl(tmp_path)
    stand.configure(xl=str(xl.path))
    probes, host = Probes(), endpoint(stand)
    for _ in range(2):
        daemon = started(stand)
        assert probes.answers(host)
        daemon.kill()
        daemon.wait()


@pytest.mark.parametrize("address", ["", "127.0.0.1:1", "nonsense", "127.0.0.1:x"])
def test_a_silent_probe_costs_a_look_next_to_nothing_and_is_no_error(address: str) -> None:
    probes, host = Probes(), Endpoint(1, "xen1", "xen:///system", probe=address, probe_key="ab" * 32)
    began = time.monotonic()
    for _ in range(50):
        assert not probes.answers(host)
        assert probes.copies(host, VM) is None
        assert probes.moves(host, VM) == ()
    assert time.monotonic() - began < 3
    with pytest.raises(ProbeSilentError):
        probes.do(host, "cancel", VM)


def test_with_another_key_a_probe_says_nothing(stand: Stand, tmp_path: Path) -> None:
    daemon = started(stand)
    try:
        assert not Probes().answers(endpoint(stand, "cd" * 32))
    finally:
        daemon.kill()
        daemon.wait()


def test_the_key_is_in_no_repr() -> None:
    assert "abab" not in repr(Endpoint(1, "xen1", "xen:///system", probe="h:1", probe_key="ab" * 32))


def test_what_stands_at_a_path_is_told(tmp_path: Path) -> None:
    file = tmp_path / "disk.img"
    file.write_bytes(b"x" * 4096)
    assert places.path_seen(str(file)) == {"kind": "file", "size": 4096, "identity": ""}
    assert places.path_seen(str(tmp_path)) == {"kind": "other", "size": None, "identity": ""}
    for missing in (str(tmp_path / "none"), "relative", "/dev/sr1/\0"):
        assert places.path_seen(missing)["kind"] == "missing"


def test_a_served_file_bears_the_name_that_its_server_gives_it(tmp_path: Path) -> None:
    file = tmp_path / "sr" / "web01.img"
    file.parent.mkdir()
    file.write_bytes(b"x")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"20 1 8:1 / / rw - ext4 /dev/vda rw\n40 20 0:41 /pool {file.parent} rw - nfs4 10.77.0.3:/export rw,vers=4.2\n"
    )
    seen = places.path_seen(str(file), mounts=mounts)
    assert seen["identity"] == "nfs:10.77.0.3:/export:/pool/web01.img"


def test_bridges_are_told(tmp_path: Path) -> None:
    net = tmp_path / "class" / "net"
    for name, inner in (("xenbr0", "bridge"), ("eth0", "device")):
        (net / name / inner).mkdir(parents=True)
    assert places.bridges(tmp_path) == ["xenbr0"]
    assert places.bridges(tmp_path / "none") == []
