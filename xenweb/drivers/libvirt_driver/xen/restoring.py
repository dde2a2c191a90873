"""A VM that goes on from memory which a guard has kept."""

import libvirt


def restore(connection: libvirt.virConnect, path: str, vm_uuid: str) -> None:
    """Let a VM go on from a file of its host, and have the host keep its definition; raises libvirtError."""
    connection.restoreFlags(path, None, 0)
    domain = connection.lookupByUUIDString(vm_uuid)
    if not domain.isPersistent():
        kept = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE
        connection.defineXML(domain.XMLDesc(kept))


def forget(connection: libvirt.virConnect, vm_uuid: str) -> None:
    """Remove the definition of a VM that this host does not run, if it has one; raises libvirtError."""
    try:
        domain = connection.lookupByUUIDString(vm_uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return
        raise
    if not domain.isActive():
        domain.undefine()
