"""libvirt's errors, in the words of the contract."""

import re

import libvirt

from xenweb.drivers.contract import (
    DriverError,
    HostUnreachableError,
    MoveBrokenError,
    MoveCancelledError,
    MoveRefusedError,
    NotSupportedError,
    VmMissingError,
)

UNREACHABLE_CODES = frozenset({libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_AUTH_FAILED, libvirt.VIR_ERR_AUTH_CANCELLED})
LOST_WORDS = (
    "client socket is closed",
    "End of file while reading data",
    "Cannot recv data",
    "Cannot write data",
    "keepalive timeout",
    "connection closed",
    "Failed to connect socket",
    "Unable to connect",
    "Connection refused",
    "internal error: client",
)
REFUSED_CODES = frozenset(
    {
        libvirt.VIR_ERR_MIGRATE_UNSAFE,
        libvirt.VIR_ERR_CPU_INCOMPATIBLE,
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
        libvirt.VIR_ERR_OPERATION_INVALID,
        libvirt.VIR_ERR_DOM_EXIST,
        libvirt.VIR_ERR_INVALID_ARG,
    }
)
NO_JOB_CODES = frozenset(
    {libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_OPERATION_UNSUPPORTED}
)
"""Errors by which libvirt says that nothing is being worked on, or never tells."""

NO_POST_COPY = "Postcopy is not supported"

_NOISE = re.compile(r"^(internal error|operation failed|unsupported configuration|Requested operation is not valid): ")


def sentence_of(error: libvirt.libvirtError) -> str:
    """Say libvirt's message as one sentence."""
    said = (error.get_error_message() or str(error)).splitlines()
    text = _NOISE.sub("", said[0] if said else "libvirt failed without a word").strip()
    text = text[:1].upper() + text[1:400]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def translated(error: libvirt.libvirtError, host: str) -> DriverError:
    """Answer the contract's error for one of libvirt's."""
    code, said = error.get_error_code(), error.get_error_message() or ""
    sentence = sentence_of(error)
    if code in UNREACHABLE_CODES or any(words in said for words in LOST_WORDS):
        return HostUnreachableError(f"{host} does not answer: {sentence}", host=host)
    if code == libvirt.VIR_ERR_NO_DOMAIN:
        return VmMissingError(f"{host} does not know the VM.", host=host)
    if code == libvirt.VIR_ERR_OPERATION_ABORTED:
        return MoveCancelledError("The hypervisor gave the move up, as it was asked to.")
    if NO_POST_COPY in said:  # QEMU's own words, inside an internal error
        why = "one of the two hosts does not let QEMU use userfaultfd (vm.unprivileged_userfaultfd is 0 there)"
        return NotSupportedError(f"QEMU cannot do post-copy: {why}.", host=host)
    if code == libvirt.VIR_ERR_NO_SUPPORT:
        return NotSupportedError(sentence, host=host)
    if code in REFUSED_CODES:
        return MoveRefusedError(sentence, host=host)
    return MoveBrokenError(sentence, host=host)
