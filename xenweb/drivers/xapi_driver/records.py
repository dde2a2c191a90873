"""Read records of a pool of whatever version: unknown fields are nothing, missing ones are said to be missing."""

from dataclasses import dataclass

from xenweb.drivers.xapi_driver.errors import AnswerUnreadableError
from xenweb.drivers.xapi_driver.transport import Value

NULL = "OpaqueRef:NULL"


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it came. Readers that end in ``_or`` take what is missing lightly, the others do not."""

    kind: str
    ref: str
    said: dict[str, Value]

    def text(self, field: str) -> str:
        """Read text or a reference; raise AnswerUnreadableError if the record has no such field."""
        value = self.said.get(field)
        if not isinstance(value, str):
            msg = f"The pool tells of a {self.kind} without its {field}."
            raise AnswerUnreadableError(msg, record=self.kind, field=field)
        return value

    def text_or(self, field: str, otherwise: str = "") -> str:
        """Read text or a reference."""
        value = self.said.get(field)
        return value if isinstance(value, str) else otherwise

    def ref_or_null(self, field: str) -> str:
        """Read a reference; none is NULL."""
        return self.text_or(field, NULL) or NULL

    def number(self, field: str) -> int | None:
        """Read a number, which travels as text; None if there is none."""
        value = self.said.get(field)
        try:
            return int(value) if isinstance(value, str | int) else None
        except ValueError:
            return None

    def share(self, field: str) -> float | None:
        """Read a number with a fraction; None if there is none."""
        value = self.said.get(field)
        return float(value) if isinstance(value, int | float) else None

    def flag(self, field: str) -> bool | None:
        """Read true or false; None if the record does not say."""
        value = self.said.get(field)
        return value if isinstance(value, bool) else None

    def many(self, field: str) -> tuple[str, ...]:
        """Read a set of text or references."""
        value = self.said.get(field)
        return tuple(map(str, value)) if isinstance(value, list) else ()

    def map(self, field: str) -> dict[str, str]:
        """Read a map."""
        value = self.said.get(field)
        return {key: str(each) for key, each in value.items()} if isinstance(value, dict) else {}


def record_of(kind: str, ref: str, said: Value) -> Record:
    """Take what a pool answered as a record; raise AnswerUnreadableError if it is none."""
    if not isinstance(said, dict):
        msg = f"The pool answered for a {kind} with what is no record."
        raise AnswerUnreadableError(msg, record=kind)
    return Record(kind, ref, said)
