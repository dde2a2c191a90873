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


class AccountsForbiddenError(AccountsRefusalError):
    """The person may not set up what only an administrator may: people, roles, teams, pools."""

    code = "accounts_forbidden"
    kind = RefusalKind.FORBIDDEN
    remedy = "Ask an administrator."


class AccountsInvalidError(AccountsRefusalError):
    """A name, a password or a combination is not one that we take."""

    code = "accounts_invalid"


class TakenError(AccountsRefusalError):
    """What was to be made is there already."""

    code = "taken"
    kind = RefusalKind.CONFLICT
    remedy = "Use the one that is there, or choose another name."
