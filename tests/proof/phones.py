"""People with phones, and an auditor outside of the program who keeps every punch that was acknowledged."""

import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlencode
from uuid import uuid4

import urllib3
from flask import Flask, session
from sqlalchemy import Engine, text

from flask_app.clock import utc_now
from flask_app.models import User, db
from flask_app.web.csrf import masked_token
from flask_app.web.sessions import open_session


@dataclass(slots=True)
class Punch:
    """One punch as the phone saw it. `status` 0: no answer came, so it may have counted or not."""

    person: int
    kind: str  # "in" or "out"
    key: str
    job: int
    status: int
    taken: bool
    milliseconds: float


@dataclass(slots=True)
class Auditor:
    """Keeps what was acknowledged, and compares it with the database."""

    punches: list[Punch] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, punch: Punch) -> None:
        with self.lock:
            self.punches.append(punch)

    def taken(self) -> list[Punch]:
        """Return the punches that were acknowledged so far."""
        with self.lock:
            return [punch for punch in self.punches if punch.taken]

    def outcomes(self) -> Counter[str]:
        return Counter(
            "acknowledged" if p.taken else "no answer" if p.status == 0 else f"refused with {p.status}"
            for p in self.punches
        )

    def percentiles(self) -> tuple[float, float, float]:
        """Return the median, the 99th percentile and the longest of acknowledged punches, in ms."""
        times = sorted(p.milliseconds for p in self.punches if p.taken)
        return times[len(times) // 2], times[int(len(times) * 0.99)], times[-1]

    def audit(self, engine: Engine) -> list[str]:
        """Return a sentence for every acknowledged punch that isn't there once, and for each broken rule."""
        with engine.connect() as connection:
            rows = connection.execute(text(_PUNCHED)).all()
            open_twice = connection.execute(text(_OPEN_TWICE)).all()
            backwards = connection.execute(text("SELECT id FROM shifts WHERE updated_at < created_at")).all()
            overlaps = connection.execute(text(_OVERLAPS)).all()
            unwritten = connection.execute(text(_UNWRITTEN)).all()
        found = [f"person {row[0]} has two open shifts" for row in open_twice]
        found += [f"shift {row[0]} ends before it starts" for row in backwards]
        found += [f"shifts {row[0]} and {row[1]} of one person overlap" for row in overlaps]
        found += [f"shift {row[0]} left no row in the audit" for row in unwritten]
        keys = Counter(row[0] for row in rows)
        found += [f"the punch {key} counted {n} times" for key, n in keys.items() if n > 1]
        by_key = {row[0]: row for row in rows}
        for punch in self.punches:
            if punch.taken:
                found += _compare(punch, by_key.get(punch.key))
        return found


def _compare(punch: Punch, row: Sequence[object] | None) -> list[str]:
    if row is None:
        return [f"the acknowledged punch {punch.kind} {punch.key} of person {punch.person} is not there"]
    if (row[1], row[2]) != (punch.person, punch.job):
        return [f"the punch {punch.key} is somebody else's or on another job"]
    if punch.kind == "out" and row[4] is None:
        return [f"the acknowledged punch out of {punch.key} did not end it"]
    return []


_PUNCHED = """
    SELECT punch_key, user_id, job_id, created_at, updated_at FROM shifts WHERE punch_key IS NOT NULL
"""
_OPEN_TWICE = "SELECT user_id FROM shifts WHERE updated_at IS NULL GROUP BY user_id HAVING COUNT(*) > 1"
_OVERLAPS = """
    SELECT a.id, b.id FROM shifts a JOIN shifts b ON b.user_id = a.user_id AND b.id > a.id
    WHERE a.punch_key IS NOT NULL AND b.punch_key IS NOT NULL
    AND a.created_at < COALESCE(b.updated_at, '2999-01-01')
    AND b.created_at < COALESCE(a.updated_at, '2999-01-01')
    LIMIT 20
"""
_UNWRITTEN = """
    SELECT s.id FROM shifts s WHERE s.punch_key IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM audit a WHERE a.entity = 'shift' AND a.entity_id = s.id) LIMIT 20
"""


class Phone:
    """One person's phone: logged in, punching in, switching and out; it knows only what it was told."""

    def __init__(self, app: Flask, person: int, jobs: Sequence[int], auditor: Auditor, seed: int) -> None:
        self.person, self._jobs, self._auditor = person, jobs, auditor
        self._dice = random.Random(seed)  # noqa: S311  # not a secret
        self._cookie, self._token = logged_in(app, person)
        self._on: tuple[str, int] | None = None  # key and job of the open shift, as far as the phone knows
        self._pool = urllib3.PoolManager(num_pools=4, maxsize=1, retries=False)

    def punch(self, base: str, timeout: float = 15) -> bool:
        """Punch in, switch or out; return whether it was acknowledged."""
        if self._on and self._dice.random() < 0.3:
            return self._out(base, timeout)
        others = [job for job in self._jobs if not self._on or job != self._on[1]]
        job, key = self._dice.choice(others), str(uuid4())
        status, taken, ms = self._post(base, "/create/shift", {"job_id": job, "punch_key": key}, timeout)
        self._auditor.note(Punch(self.person, "in", key, job, status, taken, ms))
        if taken:
            self._on = (key, job)
        return taken

    def _out(self, base: str, timeout: float) -> bool:
        key, job = self._on or ("", 0)
        shift = self._shift_number(base, timeout)
        if shift is None:
            return False
        status, taken, ms = self._post(base, f"/punch_out/{shift}", {"sure": "yes"}, timeout)
        self._auditor.note(Punch(self.person, "out", key, job, status, taken, ms))
        if taken:
            self._on = None
        return taken

    def _shift_number(self, base: str, timeout: float) -> str | None:
        """Find the button on the dashboard, as a person would."""
        status, page = self._ask("GET", base, "/dashboard", None, timeout)
        if status != 200 or "/punch_out/" not in page:
            return None
        return page.partition("/punch_out/")[2].partition('"')[0]

    def _post(self, base: str, path: str, form: dict[str, object], timeout: float) -> tuple[int, bool, float]:
        began = monotonic()
        body = {**form, "csrf_token": self._token}
        status, place = self._ask("POST", base, path, body, timeout)
        # Refused punches lead to the job's page or are a page; taken ones lead to the dashboard.
        return status, status == 302 and place.endswith("/dashboard"), (monotonic() - began) * 1000

    def _ask(
        self, method: str, base: str, path: str, form: dict[str, object] | None, timeout: float
    ) -> tuple[int, str]:
        """Return status and the page, or for a redirect where it leads."""
        try:
            answer = self._pool.request(
                method,
                base + path,
                body=urlencode(form) if form else None,
                redirect=False,
                timeout=timeout,
                headers={
                    "Cookie": f"island_time={self._cookie}",
                    "Content-Type": "application/x-www-form-urlencoded",
                },
            )
        except (urllib3.exceptions.HTTPError, OSError):
            return 0, ""
        if answer.status == 302:
            return answer.status, answer.headers.get("Location", "")
        return answer.status, answer.data.decode("utf-8", "replace")


def logged_in(app: Flask, person: int) -> tuple[str, str]:
    """Return the cookie and the form token of somebody who logged in before: bcrypt is not the load."""
    with app.test_request_context():
        user = db.session.get_one(User, person)
        open_session(user, now=utc_now())
        token = masked_token()
        serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        return serializer.dumps(dict(session)), token


def post_as(app: Flask, person: int, base: str, path: str, timeout: float = 120) -> int:
    """Post something as somebody who is logged in; return the status, 0 if no answer came."""
    cookie, token = logged_in(app, person)
    try:
        answer = urllib3.request(
            "POST", base + path, headers={"Cookie": f"island_time={cookie}", "X-CSRFToken": token},
            timeout=timeout, retries=False,
        )  # fmt: skip
    except (urllib3.exceptions.HTTPError, OSError):
        return 0
    return answer.status
