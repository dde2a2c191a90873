"""An answer in JSON, read piece by piece: the same records however it is cut, and never more in memory than one."""

import json
import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xenweb.drivers.xapi_driver import bulk
from xenweb.drivers.xapi_driver.bulk import answer_of, records
from xenweb.drivers.xapi_driver.errors import AnswerUnreadableError, RefusedError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ANSWERS = st.dictionaries(st.text(), st.dictionaries(st.text(), VALUES, max_size=4), max_size=5)


def cut(body: bytes, seed: int) -> Iterator[bytes]:
    chance, at = random.Random(seed), 0
    while at < len(body):
        size = chance.randint(1, 12)
        yield body[at : at + size]
        at += size


@given(ANSWERS, st.integers(), st.booleans(), st.permutations(["jsonrpc", "result", "id"]))
def test_records_are_the_same_however_the_answer_is_cut_and_ordered(
    said: dict, seed: int, is_plain: bool, order: list[str]
) -> None:
    whole = {"jsonrpc": "2.0", "result": said, "id": 1}
    body = json.dumps({key: whole[key] for key in order}, ensure_ascii=is_plain).encode("utf-8", "surrogatepass")
    assert records("pool", cut(body, seed), ()) == said


@given(ANSWERS, st.integers())
def test_only_the_fields_that_somebody_reads_are_kept(said: dict, seed: int) -> None:
    body = json.dumps({"result": {ref: {**each, "uuid": "u", "x": 1} for ref, each in said.items()}}).encode()
    assert records("pool", cut(body, seed), ("uuid", "never there")) == {ref: {"uuid": "u"} for ref in said}


@given(st.binary(max_size=60), st.integers())
def test_what_is_no_answer_is_said_to_be_none(body: bytes, seed: int) -> None:
    with pytest.raises(AnswerUnreadableError, match=r"no JSON-RPC"):
        records("pool", cut(body, seed), ())


@pytest.mark.parametrize("end", range(1, 48))
def test_an_answer_that_ends_early_is_none(end: int) -> None:
    body = json.dumps({"result": {"a": {"uuid": "1"}, "b": {"uuid": "2"}}, "id": 3}).encode()
    with pytest.raises(AnswerUnreadableError):
        records("pool", iter([body[:end]]), ())


@pytest.mark.parametrize("read", [lambda body: records("pool", iter([body]), ()), lambda body: answer_of("pool", body)])
def test_a_refusal_keeps_its_code_and_parameters(read) -> None:
    with pytest.raises(RefusedError) as caught:
        read(b'{"jsonrpc": "2.0", "error": {"code": 1, "message": "HANDLE_INVALID", "data": ["VM", "x"]}, "id": 1}')
    assert (caught.value.code, caught.value.params) == ("HANDLE_INVALID", ("VM", "x"))
    for body in (b'{"error": "no"}', b'{"error": {"message": 5}}', b'{"id": 1}', b"[]", b'{"result": 1, "error": 2}'):
        with pytest.raises(AnswerUnreadableError):
            read(body)


def test_records_that_are_none_are_no_answer() -> None:
    with pytest.raises(AnswerUnreadableError):
        records("pool", iter([b'{"result": {"a": 5}}']), ())


def test_one_endless_record_is_cut_off() -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"result": {"a": {"uuid": "'
        while True:
            yield b"x" * 65536

    with pytest.raises(AnswerUnreadableError, match=r"in more than 1024 kB"):
        records("pool", endless(), ())


def test_ever_more_records_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_RECORDS", 50)

    def endless() -> Iterator[bytes]:
        yield b'{"result": {"0": {}'
        for number in range(1, 1_000_000):
            yield f', "{number}": {{}}'.encode()

    with pytest.raises(AnswerUnreadableError):
        records("pool", endless(), ())


def test_a_large_answer_is_never_whole_in_memory() -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"result": {'
        for number in range(2000):
            record = json.dumps({"uuid": str(number), "other_config": {"x": "y" * 20_000}})
            yield f'{"," if number else ""}"{number}": {record}'.encode()
        yield b"}}"

    tracemalloc.start()
    try:
        assert len(records("pool", pieces(), ("uuid",))) == 2000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20, "the answer has forty million characters"
