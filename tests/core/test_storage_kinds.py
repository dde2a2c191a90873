"""What storage is decides what is said of a VM on Xen; for QEMU nothing is different."""

from dataclasses import replace

import pytest

from tests.core.test_placement import DISK, SHARED, SOURCE, TARGET, VM, codes
from xenweb.core.facts import RepositoryFacts, StorageKind
from xenweb.core.placement import Answer, Verdict, judge


def verdict(kind: str, storage: StorageKind, *, hypervisor: str = "xen", cache: str = "default") -> Verdict:
    repository = RepositoryFacts(7, "shared", kind, vouched_shared=False, storage=storage)
    vm = replace(VM, hypervisor=hypervisor, disks=(replace(DISK, cache=cache),))
    here, there = (replace(each, hypervisor=hypervisor, repositories=(repository,)) for each in (SOURCE, TARGET))
    return judge(vm, there, here)


def test_block_storage_on_a_san_is_shared_by_its_own_name_and_needs_no_word() -> None:
    found = verdict("logical", StorageKind.SAN_BLOCK)
    assert codes(found) == ["storage_on_san"]
    assert found.answer is Answer.CAN_GO


@pytest.mark.parametrize(("kind", "storage"), [("netfs", StorageKind.NFS), ("dir", StorageKind.OCFS2)])
def test_files_are_told_to_be_slower_and_to_lie_in_the_hosts_memory(kind: str, storage: StorageKind) -> None:
    found = verdict(kind, storage)
    assert codes(found) == ["disk_cache_of_host", "storage_slower"]
    assert found.blockers == ()


@pytest.mark.parametrize("storage", [StorageKind.LOCAL_BLOCK, StorageKind.UNKNOWN])
def test_a_volume_group_that_is_not_a_sans_still_needs_a_word(storage: StorageKind) -> None:
    assert "sharing_unproven" in codes(verdict("logical", storage))


def test_a_device_has_no_cache_of_the_hosts_even_where_nobody_knows_what_it_lies_on() -> None:
    assert "disk_cache_of_host" not in codes(verdict("iscsi", StorageKind.UNKNOWN))
    assert "disk_cache_of_host" in codes(verdict("netfs", StorageKind.UNKNOWN))
    assert "disk_cache_of_host" in codes(verdict("logical", StorageKind.LOCAL_FILE))


def test_for_qemu_an_unsafe_cache_forbids_the_move_as_before_and_no_kind_is_told_to_be_slow() -> None:
    assert codes(verdict("netfs", StorageKind.NFS, hypervisor="qemu")) == ["disk_cache_unsafe"]
    assert codes(verdict("netfs", StorageKind.NFS, hypervisor="qemu", cache="none")) == []
    assert SHARED.storage is StorageKind.UNKNOWN
