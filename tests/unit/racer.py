"""A process that punches, for test_races.py: it reads what to do as a line of JSON, says "ready",
begins when it gets another line, and prints what came of it as JSON; again and again."""

import json
import random
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from datetime import timedelta
from typing import Any

from flask import Flask, current_app
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from flask_app import create_app
from flask_app.clock import utc_now
from flask_app.config import Config
from flask_app.models import Correction, Job, Shift, User, committing, db
from flask_app.models.errors import RuleViolation
from flask_app.models.login_attempt import STRANGER, TooManyAttempts
from flask_app.timeclock import ledger
from flask_app.timeclock.clock_out import clock_out
from flask_app.timeclock.corrections import approve as approve_request
from flask_app.timeclock.ledger import Actor
from flask_app.web.tries import count_try
from tests import shop


def punches(user_id: int, first: int, second: int, times: int, seed: int) -> dict[str, int]:
    """Punch in, switch and punch out at random, as two phones of one person would."""
    dice = random.Random(seed)  # noqa: S311  # not a secret
    done = {"in": 0, "out": 0, "refused": 0, "raced": 0}
    for _ in range(times):
        try:
            if dice.random() < 0.6:
                punch_in(user_id, dice.choice((first, second)))
                done["in"] += 1
            else:
                done["out"] += punch_out(user_id)
        except RuleViolation as refusal:
            done["raced" if type(refusal).__name__ == "ConcurrentUpdate" else "refused"] += 1
        db.session.rollback()
    return done


def undoes(user_id: int, first: int, second: int, times: int, seed: int) -> dict[str, int]:
    """Punch at random and take it back at once, as somebody who taps the wrong button would."""
    dice, done = random.Random(seed), {"undone": 0, "refused": 0}  # noqa: S311  # not a secret
    for _ in range(times):
        worker, at = db.session.get_one(User, user_id), utc_now()
        how: dict[str, Any] = {"by": Actor(worker), "at": at, "rules": shop.RULES}
        try:
            if shift := Shift.open_of(worker) if dice.random() < 0.4 else None:
                out = committing(lambda s=shift, h=how: ledger.punch_out(s, **h))
                began, ended = None, out.shift.id if isinstance(out, ledger.PunchedOut) else None
            else:
                job = dice.choice((first, second))
                punched = committing(lambda w=worker, j=job, h=how: ledger.punch_in(w, j, **h))
                began, ended = punched.shift.id, punched.ended.id if punched.ended else None
            what = {"began": began, "ended": ended, "of": at, "by": Actor(worker), "at": utc_now()}
            committing(lambda w=what: ledger.undo(user_id, **w))
            done["undone"] += 1
        except RuleViolation:
            done["refused"] += 1
        db.session.rollback()
    return done


def punch_in(user_id: int, job_id: int, punch_key: str = "") -> int:
    worker, job = db.session.get_one(User, user_id), db.session.get_one(Job, job_id)
    return shop.punch_in(worker, job, utc_now(), key=punch_key).id


def punch_out(user_id: int) -> bool:
    shift = Shift.open_of(db.session.get_one(User, user_id))
    return shift is not None and shop.punch_out(shift, utc_now())


def corrections(user_id: int, admin_id: int, job_id: int, times: int, seed: int) -> int:
    """Punch, add and amend shifts of one person at random; return how many changes were taken."""
    dice, taken = random.Random(seed), 0  # noqa: S311  # not a secret
    job, admin = db.session.get_one(Job, job_id), db.session.get_one(User, admin_id)
    for _ in range(times):
        worker = db.session.get_one(User, user_id)
        start = utc_now() - timedelta(minutes=dice.randint(1, 90))
        end = start + timedelta(minutes=dice.randint(0, 20)) if dice.random() < 0.8 else None
        how: dict[str, Any] = {"by": Actor(admin), "at": utc_now(), "reason": "Race"}
        mine = db.session.scalars(select(Shift).where(Shift.user_id == user_id)).all()
        one = dice.choice(mine) if mine else None
        works: list[Callable[[], object]] = [
            lambda w=worker, s=start, e=end, h=how: ledger.add(w, job, s, e, **h)
        ]
        works += [lambda m=one, s=start, e=end, h=how: ledger.amend(m, s, e, job, **h)] if one else []
        works += [lambda w=worker: ledger.punch_in(w, job.id, by=Actor(w), at=utc_now(), rules=shop.RULES)]
        taken += succeeds(dice.choice(works))
        db.session.rollback()
    return taken


def office(user_id: int, admin_id: int, first: int, second: int, times: int, seed: int) -> dict[str, int]:
    """Do at random what admins, the clock-out and old pages do to one person's shifts, each decided by a look
    of a moment ago; return how often each was done."""
    dice = random.Random(seed)  # noqa: S311  # not a secret
    jobs = [db.session.get_one(Job, job) for job in (first, second)]
    admin, done = db.session.get_one(User, admin_id), dict.fromkeys(OFFICE, 0)
    for n in range(times):
        worker = db.session.get_one(User, user_id)
        if n % 4 == 0:  # then it is of four works ago, and any shift in it may have gone
            mine = db.session.scalars(select(Shift).where(Shift.user_id == user_id)).all()
            seen = [(shift, shift.started_at, shift.ended_at or utc_now()) for shift in mine]
        db.session.rollback()
        what = dice.choice(list(OFFICE)) if seen else "punch in"
        one, *instants = dice.choice(seen) if seen else (None,)
        work = OFFICE[what]
        done[what] += succeeds(
            lambda w=work, o=one, p=worker, t=instants: w(p, o, dice.choice(jobs), Actor(admin), *t)
        )
        db.session.rollback()
    return done


OFFICE: dict[str, Callable[..., object]] = {
    "punch in": lambda worker, one, job, by, *times: ledger.punch_in(
        worker, job.id, by=by, at=utc_now(), rules=shop.RULES
    ),
    "punch out": lambda worker, one, job, by, *times: ledger.punch_out(
        one, by=by, at=utc_now(), rules=shop.RULES
    ),
    "amend": lambda worker, one, job, by, *times: ledger.amend(
        one, *times, job, by=by, at=utc_now(), reason="Race"
    ),
    "delete": lambda worker, one, job, by, *times: ledger.delete(one, by=by, at=utc_now(), reason="Race"),
    "assume": lambda worker, one, job, by, *times: clock_out(one, utc_now(), now=utc_now()),
    "confirm": lambda worker, one, job, by, *times: ledger.confirm_end(one, by=by, at=utc_now()),
}


def approve(admin_id: int, *corrections: int) -> int:
    """Approve the same requests as the others do; return how many were decided here."""
    admin = db.session.get_one(User, admin_id)
    asked = [db.session.get_one(Correction, one) for one in corrections]
    return sum(succeeds(lambda one=one: decided(one, admin)) for one in asked)


def decided(asked: Correction, admin: User) -> None:
    approve_request(asked, by=admin, at=utc_now())


def same_keys(user_id: int, first: int, second: int, *keys: str) -> list[int]:
    """Send the same forms as the others do, for one job and the other in turn; return their shifts."""
    return [punch_in(user_id, (first, second)[n % 2], key) for n, key in enumerate(keys)]


def same_jobs(admin_id: int, *im_numbers: str) -> int:
    """Create the same jobs as the other processes do; return how many were made here."""
    admin = db.session.get_one(User, admin_id)
    form = {"general_contractor": "Gilbane", "job_scope": "Panels"}
    return sum(
        succeeds(lambda n=n: Job.create({**form, "im_number": n}, by=admin, at=utc_now())) for n in im_numbers
    )


def same_people(*emails: str) -> int:
    """Register the same people as the other processes do; return how many were made here."""
    form = {"first_name": "A", "last_name": "B", "department": "CUT_SHOP", "password": "dusty-hands"}
    return sum(
        succeeds(lambda e=e: User.create({**form, "email": e}, at=utc_now(), approved=False)) for e in emails
    )


def edits(admin_id: int, user_id: int, times: int, field: str) -> list[str]:
    """Change one field of a person again and again through the page; return the texts that were saved."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # werkzeug's proxies are typed as what they stand for
    return Context().run(edits_by_browser, app, admin_id, f"/{{}}/user/{user_id}", times, field)


def edits_by_browser(app: Flask, admin_id: int, address: str, times: int, field: str) -> list[str]:
    browser, saved = app.test_client(), []
    with browser.session_transaction() as session:
        stamp = int(utc_now().timestamp())
        session.update(user_id=admin_id, epoch=0, since=stamp, seen=stamp)
    for n in range(times):
        page = browser.get(address.format("edit")).text
        shown = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', page))
        form = {name: shown[name] for name in ("first_name", "last_name", "version")}
        answer = browser.post(address.format("update"), data={**form, field: f"{field} {n}"})
        assert answer.status_code in (302, 409), answer.text
        saved += [f"{field} {n}"] if answer.status_code == 302 else []
    return saved


def tries(email: str, times: int) -> int:
    """Count tries at one account's login as a stranger would make them; return how many were allowed."""
    app, allowed = current_app._get_current_object(), 0  # type: ignore[attr-defined]  # as above
    for _ in range(times):
        with app.test_request_context(environ_base={"REMOTE_ADDR": "10.0.0.1"}):
            with suppress(TooManyAttempts):
                count_try(email, STRANGER)
                allowed += 1
            db.session.rollback()
    return allowed


def leave(first: int, second: int) -> int:
    """Deactivate one of two admins, whoever this process was given first; return whether it was done."""
    del second
    return succeeds(lambda: db.session.get_one(User, first).deactivate(at=utc_now()))


def succeeds(work: Callable[[], object]) -> int:
    try:
        committing(work)
    except RuleViolation:
        return 0
    return 1


def run(url: str, work: str, arguments: list[int | str]) -> object:
    app = create_app(Config(database_url=url, secret_key="k" * 32, bcrypt_rounds=4))
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context():
        print("ready", flush=True)  # noqa: T201  # the test waits for this word
        sys.stdin.readline()
        try:
            return globals()[work](*arguments)
        except OperationalError as error:
            return {"error": str(error.orig)}
        finally:
            db.session.close()
            app.extensions["engine"].dispose()


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)  # noqa: T201  # and reads this
