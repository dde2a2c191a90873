"""Changes to a running move, and to copies that a move has left standing; raises libvirtError."""

import shlex
from collections.abc import Iterator

import libvirt

from xenweb.core.facts import Kind
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import CopyAction, Lever, MigrationPlan, MoveRefusedError
from xenweb.drivers.libvirt_driver.inventory import is_incoming, operation_of


def change(domain: libvirt.virDomain, lever: Lever, value: int | None) -> None:
    """Pull one lever of a running move, other than giving it up; raise MoveRefusedError if none runs.

    libvirt itself would pause a VM, or take a limit, without any move.
    """
    if operation_of(domain) != libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
        msg = "No move is under way."
        raise MoveRefusedError(msg)
    match lever:
        case Lever.BANDWIDTH:
            domain.migrateSetMaxSpeed(max(1, -(-(value or 0) // MIB)), 0)
        case Lever.DOWNTIME:
            domain.migrateSetMaxDowntime(value or 0, 0)
        case Lever.PAUSE:
            domain.suspend()
        case Lever.POST_COPY:
            domain.migrateStartPostCopy(0)


_NOT_HERE = {
    CopyAction.RELEASE_VOLUME: "No probe of {host} could let go of a volume.",
    CopyAction.CORRECT: "The daemon of {host} sees the copy as it is.",
    CopyAction.REMOVE_DISK: "A disk is no copy of a VM.",
}


def repair(domain: libvirt.virDomain, action: CopyAction, host: str) -> None:
    """Do one thing to one copy."""
    if action in _NOT_HERE:
        raise MoveRefusedError(_NOT_HERE[action].format(host=host), host=host)
    match action:
        case CopyAction.RESUME:
            domain.resume()
        case CopyAction.PAUSE:
            domain.suspend()
        case CopyAction.BREAK_OFF:
            return  # QEMU's copy goes with its process, whatever it still waits for
        case CopyAction.REMOVE:
            if not is_incoming(domain, *domain.state()):
                msg = f"The copy on {host} does not stand still because of a move: it is not removed."
                raise MoveRefusedError(msg, host=host)
            _remove(domain)
        case CopyAction.REMOVE_PAUSED:
            if domain.state()[0] != libvirt.VIR_DOMAIN_PAUSED:
                msg = f"The copy on {host} is not paused any more: it is not removed."
                raise MoveRefusedError(msg, host=host)
            _remove(domain)


def _remove(domain: libvirt.virDomain) -> None:
    is_persistent = bool(domain.isPersistent())
    domain.destroy()
    if is_persistent:
        domain.undefine()


def command(plan: MigrationPlan, *, is_persistent: bool) -> str:
    """Write what ``virsh`` would be told for the same call.

    The allowed pause can be set only while the move runs: a comment says with which words.
    """
    words = ["virsh", "-c", plan.source.uri, "migrate", "--p2p"]
    if is_persistent:
        words += ["--persistent", "--undefinesource"]
    if plan.kind is Kind.COLD:
        return shlex.join([*words, "--offline", plan.vm_uuid, plan.target.uri])
    words += ["--live", "--abort-on-error"]
    options = plan.options
    if plan.kind is Kind.PAUSED:
        words.append("--suspend")
    if plan.copied_disks:
        words += ["--copy-storage-all", "--migrate-disks", ",".join(disk.device for disk in plan.copied_disks)]
    if options.auto_converge:
        words.append("--auto-converge")
    if options.post_copy:
        words.append("--postcopy")
    if plan.trust_shared_storage:
        words.append("--unsafe")
    if options.bandwidth_limit is not None:
        words += ["--bandwidth", str(max(1, -(-int(options.bandwidth_limit) // MIB)))]
    words += [plan.vm_uuid, plan.target.uri]
    address = plan.target.migration_address
    if address:
        words += ["--migrateuri", f"tcp://{address}", "--listen-address", address]
    return "\n".join((shlex.join(words), *_pause_words(plan)))


def _pause_words(plan: MigrationPlan) -> Iterator[str]:
    limit = plan.options.downtime_limit
    if limit is not None:
        words = ["virsh", "-c", plan.source.uri, "migrate-setmaxdowntime", plan.vm_uuid, str(int(limit))]
        yield f"# The allowed pause, as soon as the move runs: {shlex.join(words)}"
