"""What every driver must do alike, of the contract suite, on real Xen hosts with probes.

    pytest -m xen tests/xen/test_contract.py

Left out is what Xen has not (a limit of speed, disks that travel), what the lab has not (three hosts, halted VMs), and
how fast guests change, which test_dirtying.py looks into.
"""

import pytest

from tests.contract.rig import Rig
from tests.contract.test_contract import (  # noqa: F401 - these are the tests
    test_a_call_that_is_not_permitted_any_more_is_not_made,
    test_a_change_from_outside_is_told_within_two_seconds,
    test_a_host_is_taken_out_of_service_and_back_where_its_hypervisor_knows_of_it,
    test_a_host_that_is_not_there_is_said_to_be_unreachable,
    test_a_live_move_ends_on_the_target_and_both_hosts_prove_it,
    test_a_move_goes_on_without_the_process_that_began_it,
    test_a_running_copy_is_never_removed,
    test_a_silent_host_proves_nothing_and_is_heard_again_later,
    test_a_vm_that_another_hand_is_moving_is_busy,
    test_cancelling_leaves_the_vm_running_where_it_was,
    test_changing_what_is_not_under_way_is_refused,
    test_giving_up_what_is_not_under_way_is_no_error,
    test_looks_never_fail_during_a_whole_move_and_tell_its_passes,
    test_the_equivalent_command_does_the_same,
)
from tests.xen.contract_rig import XenRig
from tests.xen.equipment import Probed

pytestmark = [pytest.mark.xen, pytest.mark.timeout(600)]


@pytest.fixture
def rig(xen: Probed) -> Rig:
    return XenRig(xen)
