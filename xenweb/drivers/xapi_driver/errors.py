"""What can go wrong between us and a pool, before any words of its own are read."""

import XenAPI

from xenweb.drivers.contract import DriverError, HostUnreachableError


class CertificateRefusedError(HostUnreachableError):
    """The host showed a certificate that is not the one we were told to trust, or whose time is over."""

    code = "certificate_refused"
    remedy = (
        "Compare the fingerprint with that on the host's own console; "
        "if it is right, put it into the host's address, else find out who answers there."
    )


class LoginRefusedError(HostUnreachableError):
    """The pool takes neither the user nor the password."""

    code = "login_refused"
    remedy = "Give the host its user and password anew."


class AnswerUnreadableError(HostUnreachableError):
    """What came is no answer that can be read, or lacks what an answer must have."""

    code = "answer_unreadable"
    remedy = "See whether a real XAPI answers there, and which version; its own log says more."


class RefusedError(XenAPI.Failure):
    """The XenAPI's own refusal, with names for its parts: a code and its parameters. Stays inside the driver."""

    def __init__(self, code: str, params: tuple[str, ...]) -> None:
        super().__init__([code, *params])
        self.code, self.params = code, params


__all__ = [
    "AnswerUnreadableError",
    "CertificateRefusedError",
    "DriverError",
    "HostUnreachableError",
    "LoginRefusedError",
    "RefusedError",
]
