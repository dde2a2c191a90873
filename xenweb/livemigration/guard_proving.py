"""Prove that a VM runs nowhere, before its disks are written to."""

from xenweb.core.migration import Copy
from xenweb.drivers.contract import DriverError, VmSighting
from xenweb.drivers.registry import driver_for
from xenweb.inventory.credentials import CredentialLostError
from xenweb.inventory.models import VirtualMachine
from xenweb.inventory.selectors import endpoints_of_pool
from xenweb.livemigration.errors import GuardRefusedError, GuardUnprovenError
from xenweb.livemigration.models import Guard
from xenweb.livemigration.plan import driver_kind

NOT_RUNNING = frozenset({Copy.ABSENT, Copy.INACTIVE})


def prove_halted(row: Guard) -> None:
    """Raise GuardRefusedError unless every host of the pool says that it does not have the guard's VM running."""
    vm = VirtualMachine.objects.get(pk=row.migration.vm_id)
    if vm.moving_as:
        msg = f"{vm.name} is moving."
        raise GuardRefusedError(msg)
    driver = driver_for(driver_kind(row.migration))
    try:
        endpoints = endpoints_of_pool(row.pool_id)
    except CredentialLostError as error:
        raise GuardRefusedError(error.sentence) from error
    for endpoint in endpoints:
        try:
            said = driver.locate(endpoint, row.migration.vm_uuid)
        except DriverError:
            said = VmSighting(Copy.NO_ANSWER)
        copy = said.copy
        if copy is Copy.NO_ANSWER:
            msg = f"{endpoint.name} does not say whether it has {vm.name}: its disks are not touched."
            raise GuardUnprovenError(msg, host=endpoint.name)
        if copy not in NOT_RUNNING:
            msg = f"{vm.name} is {copy} on {endpoint.name}: halt it first."
            raise GuardRefusedError(msg, host=endpoint.name, copy=copy.value)
        if not said.proven:
            msg = f"Only libvirt says that {vm.name} does not run on {endpoint.name}, and its probe proves nothing."
            raise GuardUnprovenError(msg, host=endpoint.name)
