"""What a sync decides, without database or network: properties over arbitrary answers and arbitrary shops."""

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flask_app.dataverse.service import DataverseJob
from flask_app.im_number import im_key
from flask_app.models.job import APPROVED, FOLLOWED, GONE_STATES
from flask_app.models.sync_hold import CONFIRMED, DISMISSED, GONE, OPEN
from flask_app.sync.decision import RENUMBERED, TAKEN, TOO_LONG, Decision, decide
from flask_app.sync.following import JobState
from flask_app.sync.holding import BLANK, KINDS, Standing, hold_back
from tests.examples import examples

# Few ids and few numbers, so that they meet: twins by case, changed numbers, jobs whose row has gone.
IDS = [f"row-{number}" for number in range(6)]
NUMBERS = st.sampled_from(["IM-1", "im-1", "2", "3", "ß", "SS", "ß" * 30])
WORDS = st.sampled_from(["", "Unknown", "See Work Order", "x", "y"])


@st.composite
def answers(draw: st.DrawFn) -> list[DataverseJob]:
    ids = draw(st.lists(st.sampled_from(IDS), unique=True, max_size=6))
    times = st.sampled_from(["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"])
    return [
        DataverseJob(row, draw(NUMBERS), draw(WORDS), draw(WORDS), draw(WORDS), "Approved", draw(times), "")
        for row in ids
    ]


@st.composite
def shops(draw: st.DrawFn) -> list[JobState]:
    numbers = draw(st.lists(NUMBERS, unique_by=im_key, max_size=4))
    rows = draw(st.permutations([*IDS, None, None]))
    return [_job(draw, place + 1, number, rows[place]) for place, number in enumerate(numbers)]


def _job(draw: st.DrawFn, job_id: int, number: str, row: str | None) -> JobState:
    upstream_state = draw(st.sampled_from([APPROVED, APPROVED, *GONE_STATES])) if row else ""
    own = draw(st.sets(st.sampled_from(FOLLOWED))) if row else set()
    says = dict.fromkeys(own, "says")
    if row and im_key(there := draw(NUMBERS)) != im_key(number) and draw(st.booleans()):
        says["im_number"] = there
    words = {field: draw(WORDS) for field in FOLLOWED}
    return JobState(
        job_id, number, im_key(number), **words, dataverse_id=row, upstream_state=upstream_state,
        fingerprint="", dataverse_says=says,
    )  # fmt: skip


gone = st.dictionaries(st.sampled_from(IDS), st.sampled_from(GONE_STATES), max_size=4)
property_of_decisions = given(answers(), gone, shops())


def decided(
    rows: list[DataverseJob], gone: dict[str, str], shop: list[JobState]
) -> tuple[Decision, list[JobState]]:
    """Decide on copies; return the decision and the shop's jobs after it."""
    after = deepcopy(shop)
    ids = {row.dataverse_id for row in rows}
    return decide(
        rows, {row: upstream_state for row, upstream_state in gone.items() if row not in ids}, after
    ), after


def born(decision: Decision) -> list[JobState]:
    """What the new rows become."""
    return [
        JobState(1000 + place, row.im_number, im_key(row.im_number), row.general_contractor, row.scope,
                 row.job_name_address, row.dataverse_id, APPROVED, row.fingerprint, {})
        for place, row in enumerate(decision.new)
    ]  # fmt: skip


@examples(60)
@property_of_decisions
def test_every_row_has_exactly_one_fate(rows, gone, shop):
    decision, after = decided(rows, gone, shop)
    fates = [
        *(row.dataverse_id for row in decision.new),
        *(row.dataverse_id for row, _ in decision.left_out),
        *(job.dataverse_id for job in after if job.dataverse_id in {row.dataverse_id for row in rows}),
    ]
    assert sorted(fates) == sorted(row.dataverse_id for row in rows)
    assert all(reason.endswith(".") for _, reason in decision.left_out)


@examples(60)
@property_of_decisions
def test_what_is_new_can_be_inserted(rows, gone, shop):
    decision, after = decided(rows, gone, shop)
    keys = [im_key(row.im_number) for row in decision.new]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & {job.im_key for job in after}
    assert all(len(key) <= 50 for key in keys)
    linked = [job.dataverse_id for job in [*after, *born(decision)] if job.dataverse_id]
    assert len(set(linked)) == len(linked)


@examples(60)
@property_of_decisions
def test_the_same_answer_again_changes_nothing(rows, gone, shop):
    first, after = decided(rows, gone, shop)
    second, then = decided(rows, gone, [*after, *born(first)])
    assert (second.new, second.changes, second.linked, second.gone) == ([], [], [], [])
    assert second.left_out == first.left_out
    assert then == [*after, *born(first)]


@examples(60)
@property_of_decisions
def test_no_order_matters(rows, gone, shop):
    decision, after = decided(rows, gone, shop)
    again, after_again = decided(rows[::-1], gone, shop[::-1])
    assert (again.new, again.left_out) == (decision.new, decision.left_out)
    assert sorted(after_again, key=lambda job: job.id) == sorted(after, key=lambda job: job.id)


@examples(60)
@property_of_decisions
def test_numbers_and_what_is_the_shops_own_stay(rows, gone, shop):
    _, after = decided(rows, gone, shop)
    for before, now in zip(shop, after, strict=True):
        assert (now.id, now.im_number, now.im_key) == (before.id, before.im_number, before.im_key)
        assert all(
            getattr(now, name) == getattr(before, name) for name in before.dataverse_says if name in FOLLOWED
        )


@examples(60)
@property_of_decisions
def test_a_followed_job_says_what_dataverse_says(rows, gone, shop):
    _, after = decided(rows, gone, shop)
    said = {row.dataverse_id: row for row in rows}
    for job in after:
        if row := said.get(job.dataverse_id):
            says = {
                "general_contractor": row.general_contractor,
                "job_scope": row.scope,
                "job_name_address": row.job_name_address,
            }
            assert {name: job.dataverse_says.get(name, getattr(job, name)) for name in says} == says
            assert job.upstream_state == APPROVED


@examples(60)
@property_of_decisions
def test_only_jobs_that_changed_are_written(rows, gone, shop):
    decision, after = decided(rows, gone, shop)
    changed = {now.id for before, now in zip(shop, after, strict=True) if before != now}
    assert changed == decision.updates.keys()
    assert {change.job_id for change in decision.changes} <= changed


@examples(100)
@property_of_decisions
def test_no_job_of_an_approved_row_is_called_not_approved(rows, gone, shop):
    decision, after = decided(rows, gone, shop)
    approved = {row.dataverse_id for row in rows}
    assert all(job.upstream_state == APPROVED for job in after if job.dataverse_id in approved)
    assert all(job.upstream_state in GONE_STATES for job in decision.gone)
    assert {job.dataverse_id for job in decision.gone} <= gone.keys() - approved


@examples(100)
@property_of_decisions
def test_a_row_that_was_deleted_and_made_again_keeps_its_job(rows, gone, shop):
    """No row comes in as a new job while the job that its number was lost from has just been left alone."""
    decision, _ = decided(rows, gone, shop)
    made = {im_key(row.im_number) for row in decision.new}
    for job in decision.gone:
        if job.upstream_state in ("deleted", "missing"):
            assert im_key(job.dataverse_says.get("im_number", job.im_number)) not in made


@examples(60)
@property_of_decisions
def test_a_job_that_comes_back_is_told_once(rows, gone, shop):
    decision, after = decided(rows, gone, shop)
    back = [
        (now.id, before.upstream_state)
        for before, now in zip(shop, after, strict=True)
        if before.upstream_state in GONE_STATES and now.upstream_state == APPROVED
    ]
    assert sorted((change.job_id, change.old) for change in decision.returned) == back


@examples(100)
@property_of_decisions
def test_a_row_is_left_out_for_a_reason_that_is_true(rows, gone, shop):
    decision, after = decided(rows, gone, shop)
    there = [job.dataverse_says.get("im_number", job.im_number) for job in after if job.dataverse_id]
    taken = [im_key(number) for number in (*there, *(row.im_number for row in decision.new))]
    for row, reason in decision.left_out:
        if reason == TAKEN:
            assert im_key(row.im_number) in taken
        elif reason != TOO_LONG:
            [holder] = [job for job in after if job.im_key == im_key(row.im_number)]
            said = holder.dataverse_says["im_number"]
            assert reason == RENUMBERED % {"here": holder.im_number, "there": said}
            assert im_key(said) != holder.im_key


states = st.sampled_from([OPEN, CONFIRMED, DISMISSED])
said_before = st.dictionaries(
    st.sampled_from(KINDS), st.builds(Standing, states, st.frozensets(st.integers(1, 4)))
)


@examples(80)
@given(answers(), gone, shops(), said_before, st.integers(0, 12), st.sets(st.sampled_from(FOLLOWED)))
def test_no_more_than_was_confirmed_is_done_of_what_is_too_much(
    monkeypatch, rows, gone, shop, before, followed, empty
):
    monkeypatch.setattr("flask_app.sync.holding.LEAST", 2)  # so few jobs are many here
    plain, _ = decided(rows, gone, shop)
    decision, _ = decided(rows, gone, shop)
    holding = hold_back(decision, followed=followed, empty=empty, standing=before)
    held = {one.kind: one for one in holding.held}
    for kind in KINDS:
        wanted, done = concerned(plain, kind), concerned(decision, kind)
        kept = held[kind].job_ids if kind in held else frozenset()
        assert (done | kept, done & kept) == (wanted, frozenset())
        standing = before.get(kind, Standing("", frozenset()))
        free = done - standing.job_ids if standing.state == CONFIRMED else done
        assert len(free) < 2 or len(free) * 5 <= followed
        assert not (free and kind in empty and standing.state != DISMISSED)
        for job_id in kept:
            job, was = decision.updates.get(job_id), decision.before[job_id]
            if job and kind == GONE:
                assert job.upstream_state == was.upstream_state
            elif job:
                assert (getattr(job, kind), job.fingerprint) == (getattr(was, kind), "")
    unheld = ("new", "left_out", "linked", "returned")
    assert all(getattr(decision, name) == getattr(plain, name) for name in unheld)
    assert holding.settled.keys() == {
        kind for kind in before if kind not in held or before[kind].state == CONFIRMED
    }


def concerned(decision: Decision, kind: str) -> frozenset[int]:
    """The jobs that a decision marks as gone, or of which it blanks a field."""
    if kind == GONE:
        lost = (job.id for job in decision.gone)
        return frozenset(job_id for job_id in lost if decision.before[job_id].upstream_state == APPROVED)
    return frozenset(
        change.job_id
        for change in decision.changes
        if change.field == kind and change.new == BLANK[kind] and change.old not in ("", BLANK[kind])
    )


def test_of_two_rows_with_one_number_the_newer_instant_comes_in_whatever_its_offset() -> None:
    """As texts, 13:30+02:00 is later than 12:00Z; as instants it is half an hour earlier."""
    times = {"row-0": "2026-11-23T13:30:00+02:00", "row-1": "2026-11-23T12:00:00Z", "row-2": "not a time"}
    texts: dict[str, Any] = dict.fromkeys(("general_contractor", "scope", "job_name_address"), "")
    rows = [
        DataverseJob(row, "7", **texts, submittal_status="Approved", created_on=time, modified_on="")
        for row, time in times.items()
    ]

    decision = decide(rows, {}, [])

    assert [row.dataverse_id for row in decision.new] == ["row-1"]
