"""What the XenAPI's error codes mean: a sentence and what helps, with names in place of references.

``{VM}``, ``{host}``, ``{SR}`` and their like are the first parameter that is of that class, in whatever place it
stands: the same code carries its parameters in more than one order. ``{0}`` is a parameter as it came.
"""

WORDS: dict[str, tuple[str, str]] = {
    "SESSION_AUTHENTICATION_FAILED": (
        "The pool takes neither the user nor the password.",
        "Give the host its user and password anew.",
    ),
    "RBAC_PERMISSION_DENIED": (
        "The account that we use may not do this: it lacks the permission {0}.",
        "Give the account the role vm-power-admin in the pool, or pool-operator for hosts.",
    ),
    "HOST_STILL_BOOTING": ("The pool's software is not ready yet.", "Wait a minute, then try again."),
    "HOST_IN_EMERGENCY_MODE": (
        "The host has lost its pool's coordinator.",
        "Bring the coordinator back, or let another host lead.",
    ),
    "CANNOT_CONTACT_HOST": (
        "The coordinator cannot reach {host}.",
        "See whether {host} runs and its management network works.",
    ),
    "HOST_OFFLINE": ("{host} does not send its heartbeat any more.", "See whether {host} has power and network."),
    "HOST_NOT_LIVE": ("The host does not send its heartbeat any more.", "See whether it has power and network."),
    "HOST_DISABLED": (
        "{host} is in maintenance and takes no VMs.",
        "Enable {host} in its pool, or choose another host.",
    ),
    "HOST_DISABLED_UNTIL_REBOOT": (
        "{host} takes no VMs until it is restarted.",
        "Restart {host}, or choose another host.",
    ),
    "HOST_DISABLED_INDEFINITELY": (
        "{host} was taken out of service and takes no VMs.",
        "Enable {host} by hand, or choose another host.",
    ),
    "HANDLE_INVALID": (
        "The pool no longer knows a {0} that this was about.",
        "Look at the board again: it was changed or removed meanwhile.",
    ),
    "UUID_INVALID": (
        "The pool knows no {0} of that UUID.",
        "Look at the board again: it was moved or removed meanwhile.",
    ),
    "OPERATION_NOT_ALLOWED": ("The pool does not allow it: {0}.", "See the reason that it gives."),
    "VM_IS_TEMPLATE": ("{VM} is a template, not a VM.", "Make a VM of it first."),
    "VM_IS_SNAPSHOT": ("{VM} is a snapshot, not a VM.", "Move the VM that it was taken of."),
    "VM_IS_IMMOBILE": (
        "{VM} is marked as not movable: it runs a hypervisor itself, or somebody forbade its moves.",
        "Shut it down and change that, or leave it where it is.",
    ),
    "VM_LACKS_FEATURE": (
        "The guest tools do not run in {VM}, so it can be neither suspended nor moved live.",
        "Install or start the guest tools in it, or shut it down and move it halted.",
    ),
    "VM_NON_SUSPENDABLE": (
        "The guest in {VM} says that it cannot be suspended now: {1}.",
        "End what the guest names, then try again.",
    ),
    "VM_MISSING_PV_DRIVERS": ("{VM} has no paravirtual drivers.", "Install the guest tools in it."),
    "VM_OLD_PV_DRIVERS": ("The paravirtual drivers in {VM} are too old ({1}.{2}).", "Update the guest tools in it."),
    "VM_HAS_PCI_ATTACHED": ("{VM} uses a PCI device of its host, which cannot move along.", "Detach the device first."),
    "VM_HAS_VGPU": (
        "{VM} uses a virtual GPU that cannot move along.",
        "Detach it, or choose a host that has the same kind.",
    ),
    "VM_HAS_VUSBS": ("{VM} uses a USB device of its host, which cannot move along.", "Unplug the device first."),
    "VGPU_DESTINATION_INCOMPATIBLE": (
        "{host} has no GPU that fits: {0}.",
        "Choose a host that has the same kind of GPU.",
    ),
    "VM_REQUIRES_GPU": ("{VM} needs a GPU that the host does not have.", "Choose a host that has one."),
    "VM_REQUIRES_IOMMU": (
        "{VM} needs an IOMMU, and {host} has none.",
        "Choose another host, or switch it on in the firmware.",
    ),
    "VM_REQUIRES_SR": (
        "{VM} has a disk on {SR}, which the host does not reach.",
        "Attach that storage to the host, move the disk along, or choose another host.",
    ),
    "VM_REQUIRES_VDI": (
        "{VM} needs the disk {VDI}, which the host does not reach.",
        "Attach its storage to the host, or choose another host.",
    ),
    "VM_REQUIRES_NET": (
        "{VM} is on the network {network}, which the host does not have.",
        "Create the network there, or choose another host.",
    ),
    "VM_REQUIRES_NETWORK": (
        "{VM} is on the network {network}, which the host does not have.",
        "Create the network there, or choose another host.",
    ),
    "HOST_CANNOT_ATTACH_NETWORK": (
        "{host} cannot attach the network {network}.",
        "Create the network there, or choose another host.",
    ),
    "VM_INCOMPATIBLE_WITH_THIS_HOST": (
        "{VM} cannot run on {host}: {2}",
        "Choose a host of the same make of CPU, or shut the VM down and start it there.",
    ),
    "VM_HOST_INCOMPATIBLE_VERSION": (
        "{host} runs older software than {VM} needs.",
        "Update {host} first, or choose another host.",
    ),
    "VM_HOST_INCOMPATIBLE_VERSION_MIGRATE": (
        "{host} runs older software than the host that {VM} is on.",
        "Update {host} first, or choose another host.",
    ),
    "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION": (
        "{VM} is of a newer virtual hardware than {host} can run.",
        "Update {host} first, or choose another host.",
    ),
    "NOT_SUPPORTED_DURING_UPGRADE": (
        "The pool is being upgraded, host by host, and does not do this meanwhile.",
        "Wait until the upgrade is done.",
    ),
    "HOST_NOT_ENOUGH_PCPUS": (
        "The VM may have {0} CPUs, and the host has {1}.",
        "Give the VM fewer CPUs, or choose another host.",
    ),
    "BALLOONING_TIMEOUT_BEFORE_MIGRATION": (
        "The guest in {VM} did not give its memory back in time.",
        "Set its least memory higher, or try when it is less busy.",
    ),
    "VMS_FAILED_TO_COOPERATE": (
        "The guest in {VM} did not give its memory back in time.",
        "Set its least memory higher, or try when it is less busy.",
    ),
    "VM_FAILED_SUSPEND_ACKNOWLEDGMENT": (
        "The guest in {VM} did not answer when it was asked to suspend.",
        "See whether the guest tools in it run, and whether it hangs.",
    ),
    "VM_SUSPEND_TIMEOUT": (
        "The guest in {VM} did not suspend in time.",
        "See whether it hangs or writes more than its disks take.",
    ),
    "VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED": (
        "The source cannot reach the target's own service.",
        "See whether the hosts reach each other on the migration network, and restart the target's toolstack.",
    ),
    "TASK_CANCELLED": ("The pool gave the move up, as it was asked to.", "Nothing to do."),
    "NO_HOSTS_AVAILABLE": ("No host of the pool can take the VM.", "Enable a host, or free memory on one."),
    "HOST_EVACUATE_VM_NOT_HA_PROTECTED": (
        "High availability is on and does not protect {VM}, so its host is not emptied.",
        "Protect {VM}, or move it by hand.",
    ),
    "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN": (
        "High availability could not restart all VMs any more if a host failed afterwards.",
        "Free memory in the pool, or let high availability tolerate fewer failures.",
    ),
    "HOST_EVACUATE_IN_PROGRESS": ("{host} is being emptied.", "Wait until that is done."),
    "HOST_IN_USE": ("{host} is still in use.", "See what uses it."),
    "VDI_NOT_IN_MAP": (
        "The disk {VDI} was not told where to go.",
        "This is our mistake: please report it with this record.",
    ),
    "VIF_NOT_IN_MAP": (
        "A network card of the VM was not told where to go.",
        "This is our mistake: please report it with this record.",
    ),
    "VDI_CBT_ENABLED": (
        "The disk {VDI} has changed block tracking on, and cannot move.",
        "Switch it off for the time of the move; backups then begin anew.",
    ),
    "VDI_IS_ENCRYPTED": ("The disk {VDI} is encrypted and cannot move.", "Copy its contents by other means."),
    "VDI_IN_USE": ("The disk {VDI} is in use.", "Detach it first."),
    "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION": (
        "A disk of the VM forgets its changes at each start, and cannot move.",
        "Let the disk keep its changes, or move the VM halted.",
    ),
    "SR_DOES_NOT_SUPPORT_MIGRATION": (
        "{SR} cannot take part in a move of disks.",
        "Choose another storage repository.",
    ),
    "SR_NOT_ATTACHED": ("{SR} is not attached to the host.", "Attach it there."),
    "SR_HAS_NO_PBDS": ("{SR} is attached to no host.", "Attach it first."),
    "SR_FULL": (
        "A storage repository has too little room: {0} are needed, {1} are there.",
        "Free space there, or choose another one.",
    ),
    "MIRROR_FAILED": (
        "The copy of the disk {VDI} broke on the way; the VM stays where it is.",
        "See the storage and the network between the hosts, then move again.",
    ),
    "TOO_MANY_STORAGE_MIGRATES": (
        "The host already copies disks of {0} VMs, and does not take more at once.",
        "Wait for one of them to end.",
    ),
    "INTERFACE_HAS_NO_IP": (
        "The interface {PIF} of the migration network has no address.",
        "Give it one, or choose another network.",
    ),
    "PIF_HAS_NO_NETWORK_CONFIGURATION": (
        "The interface {PIF} of the migration network has no address.",
        "Give it one, or choose another network.",
    ),
    "PIF_NOT_PRESENT": (
        "{host} has no interface on the network {network}.",
        "Choose another migration network, or another host.",
    ),
    "SUSPEND_IMAGE_NOT_ACCESSIBLE": (
        "The host does not reach where the memory of the suspended VM is kept.",
        "Attach that storage to the host.",
    ),
    "LICENCE_RESTRICTION": (
        "The pool's licence does not include {0}.",
        "Choose another way to move, or another licence.",
    ),
    "IMPORT_INCOMPATIBLE_VERSION": (
        "The other pool does not take what this one says of the VM.",
        "Bring both pools to the same version.",
    ),
    "MESSAGE_PARAMETER_COUNT_MISMATCH": (
        "The pool's version takes other parameters for {0} than we gave.",
        "This is our mistake: please report it with this record and the pool's version.",
    ),
    "MESSAGE_METHOD_UNKNOWN": ("The pool's version does not know {0}.", "Update the pool."),
    "MESSAGE_REMOVED": (
        "The pool's version no longer has what we asked for.",
        "This is our mistake: please report it with this record and the pool's version.",
    ),
    "TOO_MANY_PENDING_TASKS": ("The pool has too much to do at once.", "Wait a little, then try again."),
    "VM_NO_CRASHDUMP_SR": ("The pool has no place for the memory of a crashed VM.", "Set one in the pool."),
    "VM_NO_SUSPEND_SR": ("The pool has no place for the memory of suspended VMs.", "Set one in the pool."),
    "NOT_IMPLEMENTED": ("The pool cannot do {0}.", "Choose another way."),
    "HOST_POWER_ON_NOT_CONFIGURED": ("{host} cannot be switched on from afar.", "Switch it on by hand."),
}
