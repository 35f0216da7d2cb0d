"""Real processes that do the same thing at the same moment, on both databases."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from flask_app.clock import to_minute
from flask_app.models import Audit, Job, LoginAttempt, Shift, User, committing, db
from flask_app.models.audit import as_text
from flask_app.models.database import PROJECT
from flask_app.models.login_attempt import PER_ACCOUNT_AND_PLACE
from flask_app.timeclock.corrections import ask, ask_switch
from tests.conftest import NOW, PASSWORD
from tests.shop import punch_in

Racer = subprocess.Popen[str]
pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture(scope="module")
def racers() -> Iterator[list[Racer]]:
    """Three processes; starting one takes longer than a race."""
    command = [sys.executable, "-m", "tests.unit.racer"]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=PROJECT) for _ in range(3)]
    yield started
    for racer in started:
        racer.communicate(timeout=120)


@pytest.fixture
def race(database_url: str, racers: list[Racer]) -> Callable[..., list[Any]]:
    """Let one process per list of arguments do `work`, all at once; return what each one came to."""

    def run(work: str, *arguments: list[object]) -> list[Any]:
        db.session.rollback()  # on SQLite they would wait for whoever has begun
        running = racers[: len(arguments)]
        for racer, given in zip(running, arguments, strict=True):
            tell(racer, json.dumps({"url": database_url, "work": work, "arguments": given}))
        assert [racer.stdout.readline() for racer in running] == ["ready\n"] * len(running)
        for racer in running:
            tell(racer, "go")
        return [json.loads(racer.stdout.readline()) for racer in running]

    return run


def tell(racer: Racer, words: str) -> None:
    racer.stdin.write(words + "\n")
    racer.stdin.flush()


def count(entity: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(entity)) or 0


def test_two_phones_of_one_person_never_break_a_rule_in_a_thousand_punches(race, cast, add_job):
    jobs = [add_job("4512"), add_job("4513")]
    answers = race("punches", [cast.ana, *jobs, 500, 1], [cast.ana, *jobs, 500, 2])
    db.session.rollback()
    shifts = db.session.scalars(select(Shift).order_by(Shift.id)).all()
    assert len(shifts) == sum(answer["in"] for answer in answers) > 100
    assert sum(shift.is_open for shift in shifts) <= 1
    assert all(shift.is_open or shift.ended_at >= shift.started_at for shift in shifts)
    assert all(not one.is_open and one.ended_at <= other.started_at for one, other in pairwise(shifts))
    assert sum(answer["raced"] for answer in answers) == 0


def test_undo_beside_another_phones_punches_never_breaks_a_rule_nor_loses_track(race, cast, add_job):
    jobs = [add_job("4512"), add_job("4513")]
    answers = race("undoes", [cast.ana, *jobs, 40, 3], [cast.ana, *jobs, 40, 4])
    assert sum(answer["undone"] for answer in answers) > 0
    db.session.rollback()
    shifts = db.session.scalars(select(Shift).order_by(Shift.started_at, Shift.id)).all()
    assert sum(shift.is_open for shift in shifts) <= 1
    assert all(not one.is_open and one.ended_at <= other.started_at for one, other in pairwise(shifts))
    for shift in shifts:
        ends = [row.changes["ended_at"] for row in Audit.of("shift", shift.id) if "ended_at" in row.changes]
        assert all(newer[0] == older[1] for newer, older in pairwise(ends))
        assert ends == [] or ends[0][1] == as_text(shift.ended_at)


def test_the_same_forms_from_three_processes_punch_once_each_and_are_answered_alike(race, cast, add_job):
    jobs, keys = [add_job("4512"), add_job("4513")], [str(uuid4()) for _ in range(20)]
    first, *others = race("same_keys", *[[cast.ana, *jobs, *keys]] * 3)
    assert others == [first, first]
    assert count(Shift) == len(set(first)) == 20


def test_an_im_number_is_made_once_by_two_processes(race, cast):
    numbers = [f"IM-{n}" for n in range(60)]
    backwards = [number.lower() for number in numbers]
    made = race("same_jobs", [cast.grace, *numbers], [cast.grace, *backwards])
    assert sum(made) == count(Job) == 60


def test_an_e_mail_gets_one_account_from_two_processes(race, cast):
    emails = [f"new{n}@shop.example" for n in range(60)]
    before = count(User)
    made = race("same_people", emails, [email.upper() for email in emails])
    assert sum(made) == count(User) - before == 60
    namesakes = db.session.scalars(select(User).where(User.name_key == "a b")).all()
    assert {one.told_apart_by for one in namesakes} == set(emails)  # though they came at the same moment


def test_no_edit_of_a_person_that_was_saved_is_lost_to_another_admins(race, cast):
    """Each says what it saved: all of it is written down, once and in order, and the last of it is there."""
    fields = ("first_name", "last_name")
    saved = race("edits", *[[cast.grace, cast.ana, 25, field] for field in fields])
    db.session.rollback()
    ana = db.session.get_one(User, cast.ana)
    assert [getattr(ana, field) for field in fields] == [texts[-1] for texts in saved]
    for field, texts in zip(fields, saved, strict=True):
        kept = [row.changes[field][1] for row in Audit.of("user", cast.ana) if field in row.changes]
        assert kept[::-1] == texts  # each once, in order, and no other text between them


def test_no_try_at_a_password_slips_past_the_throttle_from_three_processes(race, cast):
    allowed = race("tries", *[["ana@shop.example", 20]] * 3)
    assert 0 < sum(allowed) <= PER_ACCOUNT_AND_PLACE
    assert count(LoginAttempt) == sum(allowed)  # what was refused has left nothing


def test_two_admins_who_remove_each_other_leave_one(race, cast):
    form = {"first_name": "Tom", "last_name": "I", "department": "ADMINISTRATIVE", "password": PASSWORD}
    tom = committing(lambda: User.create({**form, "email": "tom@shop.example"}, at=NOW, approved=True))
    made = race("leave", [cast.grace, tom.id], [tom.id, cast.grace])
    assert sum(made) == 1
    db.session.expire_all()
    assert sum(user.is_admin and user.is_active for user in User.everybody()) == 1


def test_admins_and_a_phone_at_once_never_put_anybody_in_two_places(race, cast, add_job):
    job = add_job("4512")
    arguments = [[cast.ana, cast.grace, job, 40, seed] for seed in (1, 2, 3)]
    assert all(taken > 0 for taken in race("corrections", *arguments))
    db.session.rollback()
    shifts = db.session.scalars(select(Shift)).all()
    assert sum(shift.is_open for shift in shifts) <= 1
    closed = sorted((to_minute(s.started_at), to_minute(s.ended_at)) for s in shifts if not s.is_open)
    for (_, ended), (started, _) in pairwise(closed):
        assert ended <= started
    for running in (to_minute(shift.started_at) for shift in shifts if shift.is_open):
        assert all(ended <= running for _, ended in closed)


def test_whatever_races_the_changes_tell_every_shift_from_its_first_punch_to_what_it_is_now(
    race, cast, add_job
):
    jobs = [add_job("4512"), add_job("4513")]
    answers = race("office", *[[cast.ana, cast.grace, *jobs, 80, seed] for seed in (1, 2, 3)])
    assert [answer for answer in answers if "error" in answer] == []
    assert all(sum(answer[what] for answer in answers) > 0 for what in answers[0])
    told: dict[int, dict[str, str | None] | None] = {}
    db.session.rollback()
    for row in db.session.scalars(select(Audit).where(Audit.entity == "shift").order_by(Audit.id)):
        known = told.get(row.entity_id) or {}
        for field, (old, new) in row.changes.items():
            assert known.get(field) == old or (field == "assumed" and field not in known), row.changes
            known[field] = new
        told[row.entity_id] = None if row.action == "deleted" else known
    kept = {shift.id: shift for shift in db.session.scalars(select(Shift))}
    assert kept.keys() == {number for number, facts in told.items() if facts is not None}
    for number, shift in kept.items():
        assert told[number]["started_at"] == as_text(shift.started_at)
        assert told[number].get("ended_at") == as_text(shift.ended_at)
        assert (told[number].get("assumed") == "yes") is (shift.assumed_at is not None)


def test_a_request_is_approved_by_one_of_three_admins(race, cast, add_job):
    job = db.session.get_one(Job, add_job("4512"))
    luis = db.session.get_one(User, cast.luis)

    def ask_for_eight() -> list[int]:
        asked = []
        for n in range(1, 9):
            start = NOW - timedelta(hours=2 * n)
            one = ask(luis, "missing", None, start, start + timedelta(hours=1), job, note="", at=NOW)
            db.session.flush()
            asked.append(one.id)
        return asked

    asked = committing(ask_for_eight)
    assert sum(race("approve", *[[cast.grace, *asked]] * 3)) == len(asked)
    assert count(Shift) == len(asked)


def test_a_switch_is_approved_once_by_three_admins_and_loses_no_minute(race, cast, add_job):
    numbers = [add_job(number) for number in ("4512", "4513")]
    first, second = (db.session.get_one(Job, number) for number in numbers)
    luis, at = db.session.get_one(User, cast.luis), NOW + timedelta(hours=2)
    shift = punch_in(luis, first, NOW)
    switched = NOW + timedelta(hours=1)
    asked = committing(lambda: ask_switch(luis, shift, switched, second, note="", at=at)).id
    assert sum(race("approve", *[[cast.grace, asked]] * 3)) == 1
    db.session.expire_all()
    shifts = db.session.scalars(select(Shift).order_by(Shift.started_at)).all()
    assert [(one.job_id, to_minute(one.started_at), one.ended_at) for one in shifts] == [
        (first.id, to_minute(NOW), switched),
        (second.id, switched, None),
    ]
