"""What the accounts refuse."""

from xenweb.core.refusal import RefusalError, RefusalKind


class AccountsRefusalError(RefusalError):
    """Root of the refusals about people."""

    code = "accounts_refused"


class NobodyNamedError(AccountsRefusalError):
    """No user, or no team, has that name."""

    code = "nobody_named"
    kind = RefusalKind.NOT_FOUND
    remedy = "Create it first, or correct the name."


class SignInLimitedError(AccountsRefusalError):
    """Too many sign-ins failed lately, for this name or from this address."""

    code = "sign_in_limited"
    kind = RefusalKind.FORBIDDEN
    remedy = "Wait five minutes, then try again."
