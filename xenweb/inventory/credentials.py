"""Host credentials: sealed on the way in, opened only for a driver.

The keys live in a file apart from SECRET_KEY; the newest seals, all open.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from xenweb.core.refusal import RefusalError, RefusalKind


class CredentialLostError(RefusalError):
    """No key that we hold opens the stored credential."""

    code = "credential_lost"
    kind = RefusalKind.UNAVAILABLE
    remedy = "Put the old key back into the key file, or give the host its credential anew."


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.XENWEB_CREDENTIAL_KEYS])


def seal(credential: str) -> str:
    """Encrypt a credential for the database; an empty one stays empty."""
    return _keys().encrypt(credential.encode()).decode() if credential else ""


def opened(sealed: str, host: str) -> str:
    """Decrypt the stored credential of the host so named; raise CredentialLostError if no key fits."""
    if not sealed:
        return ""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken:
        msg = f"The stored credential of {host} cannot be opened with the keys at hand."
        raise CredentialLostError(msg) from None
