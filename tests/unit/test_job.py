"""Jobs' rules, and the board's search."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_app.models import Job, User, committing, db
from flask_app.models.errors import ConcurrentUpdate, ValidationError
from flask_app.models.job import ACTIVE, INACTIVE, JobPage
from flask_app.sync.following import insert_jobs
from tests.conftest import NOW, Cast, synced_job
from tests.examples import examples

pytestmark = pytest.mark.usefixtures("app_context")

FORM = {"im_number": "4512", "general_contractor": "Gilbane", "job_scope": "Reception desk"}


@pytest.fixture
def grace(cast: Cast) -> User:
    return db.session.get_one(User, cast.grace)


def create(by: User, **changes: Any) -> Job:
    return committing(lambda: Job.create({**FORM, **changes}, by=by, at=NOW))


def found(search: str, status: int = ACTIVE) -> list[str]:
    return [job.im_number for job in Job.board(status=status, search=search).jobs]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("im_number", ""),
        ("im_number", "9" * 51),
        ("im_number", "ß" * 26),
        ("general_contractor", ""),
        ("general_contractor", "x" * 256),
        ("job_scope", ""),
        ("job_scope", "x" * 2001),
        ("job_name_address", "x" * 2001),
        ("context", "x" * 2001),
        ("estimated_hours", -1.0),
        ("estimated_hours", 1e300),
        ("estimated_hours", float("nan")),
        ("estimated_hours", float("inf")),
        ("estimated_hours", 1_000_000.0),
        ("status", 2),
        ("status", None),
    ],
)
def test_a_form_that_cannot_be_taken_names_the_field_and_adds_no_job(grace, field, value):
    with pytest.raises(ValidationError) as caught:
        create(grace, **{field: value})
    assert list(caught.value.problems) == [field]
    assert Job.counts() == {ACTIVE: 0, INACTIVE: 0}


def test_a_form_without_its_fields_says_which(grace):
    with pytest.raises(ValidationError) as caught:
        committing(lambda: Job.create({}, by=grace, at=NOW))
    assert set(caught.value.problems) == {"im_number", "general_contractor", "job_scope"}


def test_the_longest_that_fits_is_taken(grace):
    longest = {"im_number": "9" * 50, "general_contractor": "木" * 255, "job_scope": "🔨" * 2000}
    job = create(grace, **longest, context="é" * 2000, estimated_hours=999_999.0)
    db.session.refresh(job)
    assert {field: getattr(job, field) for field in longest} == longest
    assert job.estimated_hours == 999_999


@pytest.mark.parametrize("typed", ["Été Hotel, 12 Canal Road", "Annex\n1 Elm", ""])
def test_name_and_address_are_kept_as_typed_and_found_by_any_word(grace, typed):
    job = create(grace, job_name_address=typed)
    assert job.job_name_address == typed
    assert all(found(word) == [job.im_number] for word in typed.replace(",", "").split())


@pytest.mark.parametrize("twin", ["im-7a", " IM-7A ", "Im-7a\t", "IM -7\u00a0a", "IM-\u200b7a", "ＩＭ-７Ａ"])
def test_an_im_number_is_one_whatever_its_case_blanks_and_width(grace, twin):
    create(grace, im_number="IM-7a")
    with pytest.raises(ValidationError) as caught:
        create(grace, im_number=twin)
    assert caught.value.problems == {"im_number": "There is already a job IM-7a."}


@pytest.mark.parametrize("other", ["4512A", "04512", "4512-", "４５１３", "4512é"])
def test_im_numbers_that_differ_are_two_jobs(grace, other):
    create(grace, im_number="4512")
    create(grace, im_number="4512e")
    assert create(grace, im_number=other).im_number == other


def test_an_edit_to_another_jobs_im_number_is_refused(grace):
    create(grace, im_number="4512")
    job = create(grace, im_number="4513")
    with pytest.raises(ValidationError, match="There is already a job 4512"):
        committing(lambda: job.edit({"im_number": "4512"}, at=NOW))
    assert job.im_number == "4513"


def test_an_edit_changes_what_the_form_has_and_nothing_else(grace):
    job = create(grace, context="Ask Luis", estimated_hours=40.0)
    committing(lambda: job.edit({"status": 0}, at=NOW))
    db.session.refresh(job)
    assert (job.status, job.context, job.estimated_hours, job.im_number) == (0, "Ask Luis", 40, "4512")


def test_an_edit_with_one_bad_field_changes_none(grace):
    job = create(grace)
    with pytest.raises(ValidationError):
        committing(lambda: job.edit({"general_contractor": "Turner", "status": 9}, at=NOW))
    db.session.refresh(job)
    assert job.general_contractor == "Gilbane"


def test_an_edit_leaves_alone_what_no_form_has(grace):
    job = create(grace)
    committing(lambda: job.edit({"csrf_token": "x", "user_id": 7, "source": "dataverse"}, at=NOW))
    assert (job.source, job.user_id) == ("manual", grace.id)


def test_a_search_finds_number_contractor_and_scope_in_any_case(grace):
    create(grace)
    for search in ("4512", "51", "gilb", "RECEPTION", "desk", "gil desk", "  desk   4512 "):
        assert found(search) == ["4512"], search
    assert found("gil table") == []


@pytest.mark.parametrize("wild", ["%", "_", "/", "\\", "'", '"', "%%", "4_12", "--", ";"])
def test_no_character_of_a_search_is_a_wildcard(grace, wild):
    create(grace)
    assert found(wild) == []


@pytest.mark.parametrize(
    "odd", ["100%", "A_B", "a/b", "c:\\jobs", "O'Neill", '7" sill', "[x]", "Zürich", "木"]
)
def test_a_search_finds_every_character_as_itself(grace, odd):
    create(grace, job_scope=odd)
    create(grace, im_number="4513")
    assert found(odd) == ["4512"]


def test_a_null_character_in_a_search_is_as_if_it_were_not_there(grace):
    create(grace)
    assert found("4\x005") == found("12\0") == found("\0") == ["4512"]
    assert found("\0x") == []


def test_the_number_itself_comes_first_then_what_begins_with_it(grace):
    for number in ("45", "1450", "4512", "450"):
        create(grace, im_number=number)
    assert found("45") == ["45", "450", "4512", "1450"]
    assert found("  45 ")[0] == "45"


def test_each_tab_shows_its_own_jobs(grace):
    create(grace, im_number="1")
    create(grace, im_number="2", status=0)
    assert (found("", ACTIVE), found("", INACTIVE)) == (["1"], ["2"])
    assert Job.counts() == {ACTIVE: 1, INACTIVE: 1}


def add_many(count: int) -> None:
    numbers = range(10_000, 10_000 + count)
    rows = [synced_job(str(n), general_contractor=f"GC {n % 40}") for n in numbers]
    committing(lambda: insert_jobs(rows, at=NOW))


def board(search: str = "", **page: int) -> JobPage:
    return Job.board(status=ACTIVE, search=search, **page)


def test_five_thousand_jobs_are_paged_without_losing_or_repeating_one():
    add_many(5000)
    pages = board(per_page=700).pages
    shown = [job.im_number for page in range(1, pages + 1) for job in board(page=page, per_page=700).jobs]
    assert (board().total, len(shown), len(set(shown))) == (5000, 5000, 5000)
    assert [job.im_number for job in board("14999").jobs] == ["14999"]
    assert board("gc 7 panels").total == sum(
        "7" in str(n) or "7" in f"GC {n % 40}" for n in range(10_000, 15_000)
    )


@pytest.mark.parametrize(("asked", "given"), [(-5, 1), (0, 1), (1, 1), (2, 2), (3, 2), (10**30, 2)])
def test_a_page_that_does_not_exist_is_the_nearest_that_does(asked, given):
    add_many(31)
    assert board(page=asked).page == given


def test_an_empty_board_is_one_empty_page():
    assert (board().pages, board().page, board().jobs) == (1, 1, [])


def test_inserting_a_number_that_is_there_is_a_race_lost_and_inserts_nothing():
    add_many(1)
    with pytest.raises(ConcurrentUpdate):
        add_many(20)
    assert board().total == 1


@examples(40)
@given(search=st.text(max_size=60))
def test_any_search_is_answered(search):
    assert board(search).total == 0


@pytest.mark.parametrize("search", ["2458", "4391", "2458 (4391)", "２４５８", "2458(4391)", "24 58"])
def test_a_job_with_two_numbers_is_found_by_either(grace, search):
    create(grace, im_number="2458 (4391)")
    create(grace, im_number="2459 (14391)")
    job = Job.numbered(search)
    assert job is not None
    assert job.im_number == "2458 (4391)"
    assert found(search)[0] == "2458 (4391)"


def test_a_number_that_two_jobs_have_as_one_of_two_names_neither_unless_it_is_a_jobs_own(grace):
    create(grace, im_number="2458 (4391)")
    create(grace, im_number="2460 (4391)")
    assert Job.numbered("4391") is None
    assert len(found("4391")) == 2
    create(grace, im_number="4391")
    job = Job.numbered("4391")
    assert job is not None
    assert (job.im_number, found("4391")[0]) == ("4391", "4391")


@pytest.mark.parametrize("search", ["4512", "45 12", "４５１２", "4512\u200b", "gil 4512"])
def test_a_search_for_a_number_sees_through_blanks_and_width(grace, search):
    create(grace, im_number="45\u00a012")
    assert found(search) == ["45 12"]


def test_a_number_without_anything_to_be_seen_is_missing(grace):
    with pytest.raises(ValidationError) as caught:
        create(grace, im_number="\u200b\u3164")
    assert caught.value.problems == {"im_number": "Enter the IM number."}
