"""Ids as people and programs write them into an address."""

import re

_ID_OR_UUID = re.compile(r"[0-9]{1,19}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MIGRATION = re.compile(r"[0-9A-Za-z]{4}-?[0-9A-Za-z]{4}")

NOBODY = "0"
"""A key that nothing has, so that what cannot be a key is answered like an unknown one."""


def key_of(text: str | int) -> str:
    """Answer an id or a UUID as the selectors take it."""
    key = str(text)
    return key.lower() if _ID_OR_UUID.fullmatch(key) else NOBODY


def migration_key_of(text: str) -> str:
    """Answer a migration's id as the selectors take it, with or without its hyphen."""
    return text if _MIGRATION.fullmatch(text) else NOBODY
