"""The queue: limits hold, teams share, nobody starves, and nothing that could run is left waiting."""

import random
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from xenweb.core.queueing import PATIENCE, Entry, Hold, Limits, Sending, Wait, next_moves, order, waits

LIMITS = Limits(per_host=2, per_link=1, in_all=4)


def entry(name: str, team: int | None = 1, source: int = 1, target: int = 2, since: float = 0.0) -> Entry:
    return Entry(name, team, source, target, since)


ENTRIES = st.lists(
    st.builds(
        Entry,
        migration=st.uuids().map(str),
        team=st.sampled_from([None, 1, 2, 3]),
        source=st.integers(1, 5),
        target=st.integers(6, 10),
        since=st.floats(0, 1000),
    ),
    max_size=20,
)


def within(entries: list[Entry], limits: Limits) -> bool:
    hosts = Counter(host for each in entries for host in each.link)
    links = Counter(each.link for each in entries)
    return (
        len(entries) <= limits.in_all
        and max(hosts.values(), default=0) <= limits.per_host
        and max(links.values(), default=0) <= limits.per_link
    )


@given(ENTRIES)
def test_what_begins_stays_within_every_limit(waiting: list[Entry]) -> None:
    assert within(next_moves(waiting, [], LIMITS, 0.0), LIMITS)


@given(ENTRIES)
def test_nothing_that_fits_is_left_waiting(waiting: list[Entry]) -> None:
    chosen = next_moves(waiting, [], LIMITS, 0.0)
    for each in waiting:
        if each not in chosen:
            assert not within([*chosen, each], LIMITS)


def test_the_team_with_fewer_moves_comes_first() -> None:
    waiting = [entry(f"a{n}", team=1, since=n) for n in range(5)] + [entry("b", team=2, since=9)]
    assert [each.migration for each in order(waiting, [])][:2] == ["a0", "b"]


def test_within_a_team_the_oldest_comes_first() -> None:
    waiting = [entry("late", since=2), entry("early", since=1)]
    assert [each.migration for each in order(waiting, [])] == ["early", "late"]


def test_a_link_takes_no_more_than_its_limit_in_both_directions_together() -> None:
    there, back = entry("there", source=1, target=2), entry("back", source=2, target=1, since=1)
    assert [each.migration for each in next_moves([there, back], [], LIMITS, 0.0)] == ["there"]


def test_a_move_that_has_waited_long_keeps_its_hosts_free() -> None:
    limits = Limits(per_host=1, per_link=1, in_all=9)
    running = [entry("busy", source=1, target=3)]
    old, young = entry("old", source=1, target=2), entry("young", source=2, target=4, since=PATIENCE + 5)
    assert next_moves([old, young], running, limits, PATIENCE + 6) == []
    assert next_moves([old, young], running, limits, 1.0) == [young]


def test_a_flood_that_is_overdue_takes_no_turns_from_other_teams() -> None:
    limits = Limits(per_host=1, per_link=1, in_all=2)
    flood = [entry(f"a{n}", team=1, source=2 * n, target=2 * n + 1, since=n / 100) for n in range(1, 100)]
    late = entry("b", team=2, source=500, target=501, since=300.0)
    assert [each.migration for each in next_moves([*flood, late], [], limits, 301.0)] == ["a1", "b"]


def test_only_the_oldest_keeps_its_hosts_free() -> None:
    limits = Limits(per_host=1, per_link=1, in_all=9)
    running = [entry("busy", source=1, target=3)]
    oldest, old = entry("oldest", source=1, target=2), entry("old", source=3, target=4, since=1.0)
    free = entry("free", source=4, target=5, since=2.0)
    assert next_moves([oldest, old, free], running, limits, PATIENCE * 2) == [free]


def test_a_move_between_two_busy_hosts_has_its_turn_however_many_others_want_them() -> None:
    limits = Limits(per_host=1, per_link=1, in_all=9)
    hindered = entry("hindered", source=1, target=2)
    running = [entry("r1", source=1, target=10), entry("r2", source=2, target=11)]
    for step in range(200):
        now = 30.0 * step
        others = [entry(f"o{step}-{host}", team=2 + host, source=host, target=20 + host, since=now) for host in (1, 2)]
        begun = next_moves([hindered, *others], running, limits, now)
        if hindered in begun:
            assert step <= 4
            return
        # One of the two ends in turn, so that the two hosts are never free at the same moment by chance.
        running = [*running[1:], *begun] if len(running) > 1 else [*running[:0], *begun]
    raise AssertionError("it never had its turn")


def test_a_thousand_moves_over_fifty_hosts_end_near_the_bound_and_nobody_starves() -> None:
    dice = random.Random(5)
    limits = Limits(per_host=2, per_link=1, in_all=4)
    waiting = [
        Entry(str(n), dice.choice([1, 2, 3]), *dice.sample(range(50), 2), since=0.0)  # type: ignore[call-arg,misc]
        for n in range(1000)
    ]
    running: list[tuple[float, Entry]] = []
    now, busy, begun = 0.0, 0.0, []
    while waiting or running:
        for each in next_moves(waiting, [entry for _, entry in running], limits, now):
            length = dice.uniform(5, 15)
            waiting.remove(each)
            running.append((now + length, each))
            begun.append(each.team)
            busy += length
        assert within([each for _, each in running], limits)
        ended = min(running, key=lambda each: each[0])
        running.remove(ended)
        now = ended[0]
    assert now <= 1.1 * busy / limits.in_all
    halfway = Counter(begun[:300])
    assert max(halfway.values()) - min(halfway.values()) <= 15  # of 100 each


XAPI = Sending(moves=4, copying=2)
SENT = st.lists(
    st.builds(
        Entry,
        migration=st.uuids().map(str),
        team=st.sampled_from([None, 1, 2]),
        source=st.integers(1, 3),
        target=st.integers(4, 9),
        since=st.floats(0, 1000),
        copies=st.booleans(),
        sending=st.sampled_from([XAPI, Sending()]),
    ),
    max_size=30,
).map(lambda entries: [replace(each, sending=XAPI if each.source < 3 else Sending()) for each in entries])
ROOMY = Limits(per_host=100, per_link=100, in_all=100)


def sent_within(entries: list[Entry]) -> bool:
    copying = Counter(each.source for each in entries if each.copies and each.source < 3)
    moves = Counter(each.source for each in entries if each.source < 3)
    return max(copying.values(), default=0) <= 2 and max(moves.values(), default=0) <= 4


@given(SENT, SENT.filter(sent_within))
def test_a_host_sends_no_more_than_its_hypervisor_takes(waiting: list[Entry], running: list[Entry]) -> None:
    chosen = next_moves(waiting, running, ROOMY, 0.0)
    assert sent_within([*running, *chosen])
    for each in waiting:
        assert each in chosen or not sent_within([*running, *chosen, each]), "what it takes is not held back"


@given(SENT, SENT.filter(sent_within), st.floats(0, 2000))
def test_every_move_that_may_not_begin_is_told_what_it_waits_for(
    waiting: list[Entry], running: list[Entry], now: float
) -> None:
    limits = Limits(per_host=5, per_link=3, in_all=12)
    chosen = next_moves(waiting, running, limits, now)
    held = waits(waiting, running, limits, now)
    assert set(held) == {each.migration for each in waiting} - {each.migration for each in chosen}
    for each in waiting:
        if each.migration in held:
            assert held[each.migration].host in each.link


def test_what_the_hypervisor_would_refuse_is_told_before_what_we_hold_back() -> None:
    copying = [Entry(f"c{n}", 1, 1, 2 + n, 0.0, copies=True, sending=XAPI) for n in range(2)]
    later = Entry("later", 1, 1, 9, 1.0, copies=True, sending=XAPI)
    plain = Entry("plain", 1, 1, 9, 2.0, sending=XAPI)
    limits = Limits(per_host=2, per_link=2, in_all=9)
    assert waits([later, plain], copying, limits, 2.0) == {
        "later": Wait(Hold.COPIES, 1, 2),
        "plain": Wait(Hold.HOST, 1, 2),
    }
    assert waits([later, plain], copying, ROOMY, 2.0) == {"later": Wait(Hold.COPIES, 1, 2)}, "plain may begin"


def test_what_waits_for_an_older_move_is_told_so() -> None:
    limits = Limits(per_host=1, per_link=1, in_all=9)
    running = [entry("busy", source=1, target=3)]
    old, young = entry("old", source=1, target=2), entry("young", source=2, target=4, since=PATIENCE + 5)
    held = waits([old, young], running, limits, PATIENCE + 6)
    assert held == {"old": Wait(Hold.HOST, 1, 1), "young": Wait(Hold.OLDER, 2)}


def test_a_disk_that_moves_alone_counts_as_a_copy_of_its_host_and_as_nothing_else() -> None:
    sending = Sending(moves=10, copying=1)
    disk = Entry("disk", None, 1, 1, 0.0, copies=True, sending=sending, stays=True)
    copying = Entry("copying", None, 1, 2, 0.0, copies=True, sending=sending)
    plain = Entry("plain", None, 1, 2, 0.0, sending=sending)
    one = Limits(per_host=1, per_link=1, in_all=1)
    assert next_moves([plain], [disk], one, 1.0) == [plain]
    assert waits([copying], [disk], one, 1.0) == {"copying": Wait(Hold.COPIES, 1, 1)}
    assert next_moves([disk], [plain], one, 1.0) == [disk]
    assert waits([disk], [copying], one, 1.0) == {"disk": Wait(Hold.COPIES, 1, 1)}


def test_a_disk_that_waits_for_long_keeps_no_host_free_for_itself() -> None:
    sending = Sending(copying=1)
    disk = Entry("disk", None, 1, 1, 0.0, copies=True, sending=sending, stays=True)
    other = Entry("other", None, 1, 1, 0.0, copies=True, sending=sending, stays=True)
    plain = Entry("plain", None, 1, 2, 50.0, sending=sending)
    assert next_moves([disk, plain], [other], Limits(), 100.0) == [plain]
