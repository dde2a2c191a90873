"""One form for every content, one hash for every record, and the first place where a chain no longer holds."""

import hashlib
from dataclasses import replace

import pytest

from xenweb.core.evidence import GENESIS, Break, Content, Link, canonical, chained, first_break


def chain(*contents: Content) -> list[Link]:
    links: list[Link] = []
    for sequence, content in enumerate(contents, 1):
        previous = links[-1].hash if links else GENESIS
        links.append(Link(sequence, previous, chained(previous, content), content))
    return links


def test_the_form_is_sorted_narrow_and_utf_8() -> None:
    assert canonical({"b": 1, "a": {"d": None, "c": "é"}}) == '{"a":{"c":"é","d":null},"b":1}'.encode()


def test_what_has_no_one_form_is_refused() -> None:
    for content in ({"a": float("nan")}, {"a": float("inf")}, {"a": "\ud800"}):
        with pytest.raises(ValueError):
            canonical(content)


def test_a_hash_covers_the_one_before_it_and_the_content() -> None:
    assert chained(GENESIS, {}) == hashlib.sha256(bytes(32) + b"{}").hexdigest()
    assert len(GENESIS) == 64
    assert chained(chained(GENESIS, {}), {}) != chained(GENESIS, {})


def test_an_untouched_chain_holds_and_so_does_an_empty_one() -> None:
    assert first_break([]) is None
    assert first_break(chain({"a": 1}, {"a": 2}, {"a": 3})) is None


def test_a_missing_record_is_named_with_what_stands_in_its_place() -> None:
    first, _, third = chain({"a": 1}, {"a": 2}, {"a": 3})
    assert first_break([first, third]) == Break(2, "Record 2 is missing: 3 is there instead.")
    assert first_break([third]) == Break(1, "Record 1 is missing: 3 is there instead.")


def test_a_record_that_follows_another_one_is_named() -> None:
    first, second = chain({"a": 1}, {"a": 2})
    moved = replace(second, previous=GENESIS)
    assert first_break([first, moved]) == Break(2, "Record 2 does not follow the record before it.")


def test_changed_content_is_named() -> None:
    first, second, third = chain({"a": 1}, {"a": 2}, {"a": 3})
    changed = replace(second, content={"a": 9})
    assert first_break([first, changed, third]) == Break(2, "Record 2 is not what was written.")
