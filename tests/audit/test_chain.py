"""The history cannot be changed quietly."""

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import triggers_lifted
from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord
from xenweb.audit.selectors import AuditFilters, audit_page_for
from xenweb.audit.services import record
from xenweb.core.evidence import GENESIS, Content, Link, canonical, chained, first_break

HOSTILE = (
    "<script>alert(1)</script>",
    "a\x00b",
    "\ud800",
    "x" * 70_000,
    "\r\nSet-Cookie: a=b",
    "\u202egnp.exe",
    "=cmd|'/C calc'",
)


def write(count: int = 3, **changes: object) -> list[int]:
    told = {
        "actor": "ada",
        "action": "migration_request",
        "outcome": "allowed",
        "subject_kind": "vm",
        "subject_id": "7",
        "subject_name": "web-1",
    }
    return [record(**(told | changes)) for _ in range(count)]  # type: ignore[arg-type]


def tamper(statement: str) -> None:
    """Change the history as somebody would who owns the database."""
    with triggers_lifted(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        lambda: AuditRecord.objects.update(actor="nobody"),
        lambda: AuditRecord.objects.all().delete(),
        lambda: AuditRecord.objects.get(sequence=1).delete(),
        lambda: connection.cursor().execute("UPDATE audit_auditrecord SET outcome = 'done'"),
        lambda: connection.cursor().execute("DELETE FROM audit_auditrecord"),
    ],
)
def test_the_database_refuses_to_change_or_drop_a_record(change) -> None:
    write()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change()
    assert AuditRecord.objects.count() == 3
    assert verify() is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE audit_auditrecord SET actor = 'eve' WHERE sequence = 2", 2),
        ('UPDATE audit_auditrecord SET facts = \'{"target":"host-b"}\' WHERE sequence = 1', 1),
        ("UPDATE audit_auditrecord SET at = '2020-01-01 00:00:00' WHERE sequence = 3", 3),
        ("DELETE FROM audit_auditrecord WHERE sequence = 2", 2),
        ("DELETE FROM audit_auditrecord WHERE sequence = 3", 3),
        ("DELETE FROM audit_auditrecord", 1),
    ],
)
@pytest.mark.fault("F53", oracle="the verifier: it names the first record that was changed")
def test_verification_names_the_first_record_that_a_hand_changed(statement: str, place: int) -> None:
    write()
    tamper(statement)
    broken = verify()
    assert broken is not None
    assert broken.sequence == place
    with pytest.raises(CommandError, match=str(place)):
        call_command("audit_verify")


@pytest.mark.django_db
def test_a_history_that_nobody_touched_holds(capsys: pytest.CaptureFixture[str]) -> None:
    write(5)
    call_command("audit_verify")
    assert "5 records" in capsys.readouterr().out


@pytest.mark.django_db
def test_a_record_goes_away_with_the_write_it_tells_of_and_leaves_no_gap() -> None:
    write(1)
    with transaction.atomic():
        write(1)
        transaction.set_rollback(True)
    assert write(1) == [2]
    assert verify() is None


@pytest.mark.django_db
@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_is_kept_harmless_and_the_chain_holds(text: str) -> None:
    write(1, subject_name=text, reason=text, actor=text, facts={"name": text})
    assert verify() is None
    row = AuditRecord.objects.get()
    assert "\x00" not in row.subject_name
    assert len(row.subject_name) <= 255
    assert len(row.facts) < 2000


@pytest.mark.django_db
def test_pages_go_back_in_time_without_overlap() -> None:
    write(5)
    first, before = audit_page_for(AuditFilters(), limit=2)
    second, _ = audit_page_for(AuditFilters(), before=before, limit=2)
    assert [row.sequence for row in first + second] == [5, 4, 3, 2]


@pytest.mark.django_db
def test_filters_narrow_and_teams_limit() -> None:
    write(1, actor="ada", team=1)
    write(1, actor="bob", team=2, subject_name="hot-db")
    write(1, actor="bob", outcome="refused", reason="no room")
    assert [r.actor for r in audit_page_for(AuditFilters(q="HOT"))[0]] == ["bob"]
    assert len(audit_page_for(AuditFilters(actor="bob"))[0]) == 2
    assert len(audit_page_for(AuditFilters(outcome="refused", q="room bob"))[0]) == 1
    assert len(audit_page_for(AuditFilters(subject="hot-db"))[0]) == 1
    assert [r.sequence for r in audit_page_for(AuditFilters(teams=frozenset({1})))[0]] == [1]
    assert audit_page_for(AuditFilters(teams=frozenset()))[0] == []


facts = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
)


def chain_of(contents: list[Content]) -> list[Link]:
    links, previous = [], GENESIS
    for sequence, content in enumerate(contents, start=1):
        digest = chained(previous, content)
        links.append(Link(sequence, previous, digest, content))
        previous = digest
    return links


@given(st.lists(facts, max_size=8))
def test_an_untouched_chain_always_holds(contents: list[Content]) -> None:
    assert first_break(chain_of(contents)) is None


@given(st.lists(facts, min_size=1, max_size=8), st.data())
def test_any_changed_content_breaks_the_chain_at_its_place(contents: list[Content], data: st.DataObject) -> None:
    links = chain_of(contents)
    place = data.draw(st.integers(0, len(links) - 1))
    other = data.draw(facts.filter(lambda content: canonical(content) != canonical(links[place].content)))
    old = links[place]
    links[place] = Link(old.sequence, old.previous, old.hash, other)
    broken = first_break(links)
    assert broken is not None
    assert broken.sequence == place + 1


def test_the_canonical_form_does_not_depend_on_the_order_of_fields() -> None:
    assert canonical({"b": 1, "a": {"d": None, "c": "é"}}) == '{"a":{"c":"é","d":null},"b":1}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": float("nan")})
