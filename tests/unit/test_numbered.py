"""Jobs that have one number by a new rule, and numbers changed in Dataverse: one tap for all concerned."""

import pytest

from flask_app.models import Audit, Job, User, committing, db
from flask_app.models.errors import RuleViolation, ValidationError
from tests.conftest import NOW

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def grace(cast):
    return db.session.get_one(User, cast.grace)


@pytest.fixture
def add(grace):
    """Add a job that Dataverse calls `says`, if it does."""

    def one(number, says=None):
        form = {"im_number": number, "general_contractor": "Gilbane", "job_scope": "Desk"}
        job = committing(lambda: Job.create(form, by=grace, at=NOW))
        job.dataverse_says = {"im_number": says} if says else {}
        db.session.commit()
        return job

    return one


@pytest.fixture
def twin(add):
    """Add a job whose number is another's, as the change of the rule for keys left it."""

    def one(number):
        job = add(f"{number}-apart")
        job.im_number = number
        job.im_key = f"{job.im_key} #{job.id}"
        db.session.commit()
        return job

    return one


def follow(job, by=None):
    committing(lambda: job.follow_again("im_number", at=NOW, by=by))
    db.session.expire_all()


def numbers(*jobs):
    return [(job.im_number, job.im_key, job.dataverse_says.get("im_number")) for job in jobs]


def test_jobs_of_one_number_are_listed_together(add, twin):
    add("4600")
    owner, second, third = add("4512"), twin("45 12"), twin("４５１２")
    alone = twin("300")
    assert Job.twins() == [[alone], [owner, second, third]]


def test_a_number_that_is_given_up_goes_to_the_job_that_waited_for_it(add, twin, grace):
    owner, second, third = add("4512"), twin("45 12"), twin("４５１２")
    committing(lambda: owner.edit({"im_number": "4512-A"}, at=NOW, by=grace))
    assert Job.twins() == [[second, third]]
    assert Job.numbered("4512") == second
    committing(lambda: third.edit({"im_number": "4513"}, at=NOW, by=grace))
    assert Job.twins() == []
    assert Job.numbered("4513") == third


def test_a_twin_can_be_edited_and_keeps_its_place(add, twin, grace):
    add("4512")
    second = twin("45 12")
    committing(lambda: second.edit({"im_number": "45 12", "job_scope": "Panels"}, at=NOW, by=grace))
    assert (second.job_scope, second.im_key) == ("Panels", f"4512 #{second.id}")
    with pytest.raises(ValidationError, match=r"There is already a job 4512\."):
        committing(lambda: second.edit({"im_number": "4512"}, at=NOW, by=grace))


def test_two_numbers_that_were_swapped_in_dataverse_are_swapped_with_one_tap(add, grace):
    one, other = add("4512", says="4513"), add("4513", says="4512")
    follow(one, by=grace)
    assert numbers(one, other) == [("4513", "4513", None), ("4512", "4512", None)]
    assert [(row.entity_id, row.changes["im_number"]) for row in Audit.of("job", one.id)[:1]] == [
        (one.id, ["4512", "4513"])
    ]
    assert Audit.of("job", other.id)[0].changes["im_number"] == ["4513", "4512"]


def test_a_ring_of_three_and_a_row_of_three_follow_together(add):
    ring = add("1", says="2"), add("2", says="3"), add("3", says="1")
    follow(ring[1])
    assert [job.im_number for job in ring] == ["2", "3", "1"]
    row = add("11", says="12"), add("12", says="13"), add("13", says="14")
    follow(row[0])
    assert [job.im_number for job in row] == ["12", "13", "14"]


def test_a_row_is_followed_only_as_far_as_it_must(add):
    first, second = add("11", says="12"), add("12", says="13")
    follow(second)
    assert numbers(first, second) == [("11", "11", "12"), ("13", "13", None)]


def test_a_number_that_another_job_has_in_dataverse_too_is_not_taken(add):
    one, other = add("4512", says="4513"), add("4513")
    with pytest.raises(RuleViolation, match=r"Job 4513 has that number here\. Give it another one first\."):
        follow(one)
    db.session.expire_all()
    assert [job.im_number for job in (one, other)] == ["4512", "4513"]


def test_a_ring_beside_the_way_is_left_alone(add):
    """4511 wants 4512's number, which is swapped with 4513: nobody gives it up to 4511."""
    outside, one, other = add("4511", says="4512"), add("4512", says="4513"), add("4513", says="4512")
    with pytest.raises(RuleViolation, match="Job 4513 here has the number 4512 in Dataverse as well"):
        follow(outside)
    db.session.expire_all()
    assert [job.im_number for job in (outside, one, other)] == ["4511", "4512", "4513"]


def test_a_number_that_is_another_by_its_case_only_can_be_taken(add):
    job = add("im-7", says="IM-7")
    follow(job)
    assert numbers(job) == [("IM-7", "IM-7", None)]


def test_a_number_too_long_for_the_shop_is_refused(add):
    job = add("4512", says="9" * 51)
    with pytest.raises(ValidationError, match="too long"):
        follow(job)


def test_to_type_in_the_number_that_dataverse_has_is_to_follow_it(add, grace):
    job = add("4512", says="4513")
    committing(lambda: job.edit({"im_number": "4513"}, at=NOW, by=grace))
    assert numbers(job) == [("4513", "4513", None)]
