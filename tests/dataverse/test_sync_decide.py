"""What a sync decides, without database or network: properties over arbitrary answers and arbitrary shops."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from flask_app.dataverse.service import DataverseJob, DirtyRow
from flask_app.dataverse.sync import Approved, decide
from flask_app.models.job import JobKey, im_key

# Few ids and few numbers, so that they meet: twins by case and blanks, changed numbers, rows read twice.
IDS = st.sampled_from([f"row-{number}" for number in range(12)])
NUMBERS = st.sampled_from(["IM-1", "im-1", "Im-1", "2", "ß", "SS", "ß" * 30])


@st.composite
def good_rows(draw: st.DrawFn) -> DataverseJob:
    return DataverseJob(
        draw(IDS), draw(NUMBERS), "Gilbane", "Desk", "", "", "Approved", "2026-11-23T11:00:00Z"
    )


dirty_rows = st.builds(
    DirtyRow, st.one_of(IDS, st.just("")), st.just(""), st.just("The IM number is missing.")
)
answers = st.lists(st.one_of(good_rows(), good_rows(), good_rows(), dirty_rows), min_size=2, max_size=12)


@st.composite
def shops(draw: st.DrawFn) -> list[JobKey]:
    jobs = draw(st.lists(st.tuples(NUMBERS, st.one_of(st.none(), IDS)), max_size=2))
    by_key = {im_key(number): JobKey(im_key(number), number, row) for number, row in jobs}
    seen: set[str] = set()
    return [job for job in by_key.values() if not job.dataverse_id or _first(job.dataverse_id, seen)]


def _first(row_id: str, seen: set[str]) -> bool:
    is_new = row_id not in seen
    seen.add(row_id)
    return is_new


def distinct(approved: list[Approved]) -> list[Approved]:
    """Leave out the rows whose id has come before; rows without an id are all their own."""
    seen: set[str] = set()
    return [row for row in approved if not row.dataverse_id or _first(row.dataverse_id, seen)]


@settings(max_examples=100, deadline=None)
@given(answers, shops())
def test_every_row_is_accounted_for_exactly_once(approved: list[Approved], shop: list[JobKey]) -> None:
    decision = decide(approved, shop)

    rows = distinct(approved)
    assert len(decision.new) + decision.already_there + len(decision.skipped) == len(rows)
    named = Counter(row.dataverse_id for row in (*decision.new, *decision.skipped))
    assert named <= Counter(row.dataverse_id for row in rows)


@settings(max_examples=100, deadline=None)
@given(answers, shops())
def test_what_is_new_can_be_inserted(approved: list[Approved], shop: list[JobKey]) -> None:
    decision = decide(approved, shop)

    keys = [im_key(job.im_number) for job in decision.new]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & {job.im_key for job in shop}
    assert all(len(key) <= 50 for key in keys)
    assert not {job.dataverse_id for job in decision.new} & {job.dataverse_id for job in shop}


@settings(max_examples=100, deadline=None)
@given(answers, shops())
def test_the_same_answer_again_brings_nothing_new(approved: list[Approved], shop: list[JobKey]) -> None:
    first = decide(approved, shop)
    then = shop + [JobKey(im_key(job.im_number), job.im_number, job.dataverse_id) for job in first.new]

    second = decide(approved, then)

    assert not second.new
    assert second.already_there == first.already_there + len(first.new)
    assert second.skipped == first.skipped


@settings(max_examples=100, deadline=None)
@given(answers, shops())
def test_what_is_new_keeps_the_order_of_the_answer(approved: list[Approved], shop: list[JobKey]) -> None:
    rows = distinct(approved)

    places = [rows.index(job) for job in decide(approved, shop).new]

    assert places == sorted(places)


@settings(max_examples=100, deadline=None)
@given(answers, shops())
def test_the_order_of_the_shops_jobs_does_not_matter(approved: list[Approved], shop: list[JobKey]) -> None:
    assert decide(approved, shop) == decide(approved, reversed(shop))


@settings(max_examples=100, deadline=None)
@given(answers, shops(), st.lists(st.integers(0, 12)))
def test_a_row_that_is_read_twice_counts_once(
    approved: list[Approved], shop: list[JobKey], places: list[int]
) -> None:
    again = [approved[place] for place in places if place < len(approved) and approved[place].dataverse_id]

    assert decide(approved + again, shop) == decide(approved, shop)


@settings(max_examples=100, deadline=None)
@given(answers, shops())
def test_dirty_rows_change_nothing_for_the_others(approved: list[Approved], shop: list[JobKey]) -> None:
    rows = distinct(approved)
    clean = [row for row in rows if isinstance(row, DataverseJob)]

    assert decide(rows, shop).new == decide(clean, shop).new
    assert decide(rows, shop).already_there == decide(clean, shop).already_there


@settings(max_examples=100, deadline=None)
@given(answers, shops())
def test_every_skipped_row_has_a_sentence(approved: list[Approved], shop: list[JobKey]) -> None:
    assert all(row.reason.endswith(".") for row in decide(approved, shop).skipped)
