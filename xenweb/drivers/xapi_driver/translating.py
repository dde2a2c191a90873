"""The XenAPI's refusals as the contract's errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from xenweb.drivers.contract import (
    DriverError,
    Endpoint,
    HostUnreachableError,
    MoveBrokenError,
    MoveCancelledError,
    MoveRefusedError,
    NotSupportedError,
    VmMissingError,
)
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.words import Names, Saying, said

UNREACHABLE = frozenset({"HOST_STILL_BOOTING", "HOST_IN_EMERGENCY_MODE", "SESSION_INVALID", "HOST_IS_SLAVE"})
BROKEN = frozenset(
    {
        "INTERNAL_ERROR",
        "CANNOT_CONTACT_HOST",
        "VM_MIGRATE_FAILED",
        "VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED",
        "MIRROR_FAILED",
        "VM_SUSPEND_TIMEOUT",
        "VM_FAILED_SUSPEND_ACKNOWLEDGMENT",
        "BALLOONING_TIMEOUT_BEFORE_MIGRATION",
        "VMS_FAILED_TO_COOPERATE",
        "HOST_OFFLINE",
    }
)
UNSUPPORTED = frozenset({"NOT_IMPLEMENTED", "MESSAGE_METHOD_UNKNOWN", "MESSAGE_REMOVED", "LICENCE_RESTRICTION"})


def translated(error: RefusedError, host: str, names: Names) -> DriverError:
    """Answer the contract's error for one of the XenAPI's."""
    saying = said(error, names)
    return _made(saying, host)


def _made(saying: Saying, host: str) -> DriverError:
    kind: type[DriverError] = MoveRefusedError
    if saying.code in UNREACHABLE:
        kind = HostUnreachableError
    elif saying.code == "UUID_INVALID" and saying.params[:1] == ("VM",):
        return VmMissingError(f"{host} does not know the VM.", host=host)
    elif saying.code == "TASK_CANCELLED":
        kind = MoveCancelledError
    elif saying.code in UNSUPPORTED:
        kind = NotSupportedError
    elif saying.code in BROKEN or saying.code.startswith("SR_BACKEND_FAILURE") or not saying.is_known:
        # What we have no words for may have happened at any time: only asking both hosts tells where the VM is.
        kind = MoveBrokenError
    error = kind(saying.sentence, host=host, **saying.facts)
    # The class's remedy is for all of its kind; the pool's code says what helps here.
    error.remedy = saying.remedy  # type: ignore[misc]
    return error


@contextmanager
def in_our_words(endpoint: Endpoint, names: Names | None = None) -> Iterator[None]:
    """Let the XenAPI's refusals leave as the contract's errors."""
    try:
        yield
    except RefusedError as error:
        raise translated(error, endpoint.name, names or Names({})) from error
