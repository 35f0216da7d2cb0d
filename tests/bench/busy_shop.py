"""A shop of any size for the benches: people, jobs, and working days full of shifts up to this minute."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select, text

from flask_app.clock import day_bounds, utc_now
from flask_app.im_number import order_key
from flask_app.models import Job, Shift, User
from flask_app.models.user import ADMINISTRATIVE, DEPARTMENTS, bcrypt

PASSWORD = "bench-of-oak-650"  # noqa: S105  # of people who do not exist
SHIFTS_A_DAY = ((7.0, 9.5), (9.5, 12.0), (12.6, 15.5))  # hours of the day
_SEED = 650
_CHUNK = 5000


def fill(connection: Connection, *, zone, people: int, jobs: int, shifts: int) -> None:
    """Fill an empty database: `shifts` finished ones back from today, and most of the people on the clock."""
    now, dice = utc_now(), random.Random(_SEED)  # noqa: S311  # not a secret
    connection.execute(insert(User.__table__), [_person(n, now) for n in range(people)])
    connection.execute(insert(Job.__table__), [_job(n, now, dice) for n in range(jobs)])
    people_ids = list(connection.scalars(select(User.id).order_by(User.id)))
    job_ids = list(connection.scalars(select(Job.id).order_by(Job.id)))
    rows = _working_days(people_ids, job_ids, shifts, now, zone, dice)
    while chunk := [row for _, row in zip(range(_CHUNK), rows, strict=False)]:
        connection.execute(insert(Shift.__table__), chunk)
    _open_shifts(connection, people_ids, job_ids, now, dice)
    if connection.dialect.name != "sqlite":
        connection.execute(text("ANALYZE TABLE users, jobs, shifts"))
    connection.commit()


def count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(Shift)) or 0


def _person(n: int, now: datetime) -> dict[str, object]:
    workers = [code for code in DEPARTMENTS if code != ADMINISTRATIVE]
    password = bcrypt.generate_password_hash(PASSWORD, 4).decode() if n < 2 else "x"
    return {
        "first_name": f"Person{n}", "last_name": f"Whitfield{n % 37}", "email": f"p{n}@bench.example",
        "password": password, "department": ADMINISTRATIVE if n == 0 else workers[n % 4],
        "created_at": now - timedelta(days=900), "approved_at": now, "epoch": 0,
        "on_active_roster": n > 0, "must_change_password": False,
    }  # fmt: skip


def _job(n: int, now: datetime, dice: random.Random) -> dict[str, object]:
    number = str(4000 + n)
    return {
        "im_number": number, "im_key": number, "im_order": order_key(number),
        "general_contractor": f"Contractor {n % 60} and Sons",
        "job_scope": "Reception desk, wall panels and the ceiling of the lobby", "job_name_address": "",
        "estimated_hours": dice.choice([40, 120, 400, 900, None]), "context": "", "status": 1 if n % 4 else 0,
        "source": "dataverse", "dataverse_standing": "", "dataverse_fingerprint": "", "created_at": now,
    }  # fmt: skip


def _working_days(
    people: list[int], jobs: list[int], count: int, now: datetime, zone, dice: random.Random
) -> Iterator[dict[str, object]]:
    """Yield finished shifts, the newest days first: three a day of everybody."""
    day, left = now.astimezone(zone).date(), count
    while left > 0:
        day -= timedelta(days=1)
        if day.weekday() >= 5:
            continue
        midnight = day_bounds(day, zone)[0]
        on = dice.sample(jobs, min(60, len(jobs)))  # what the shop works on that day
        for person in people:
            for start, end in SHIFTS_A_DAY[: max(0, left)]:
                late = timedelta(minutes=dice.randint(-9, 9), seconds=dice.randint(0, 59))
                times = (midnight + timedelta(hours=start) + late, midnight + timedelta(hours=end) + late)
                yield _shift(person, dice.choice(on), *times)
                left -= 1


def _open_shifts(connection, people: list[int], jobs: list[int], now: datetime, dice) -> None:
    on = [person for person in people[1:] if dice.random() < 0.8]
    begun = [now - timedelta(minutes=dice.randint(5, 240)) for _ in on]
    rows = [_shift(p, dice.choice(jobs), at, None) for p, at in zip(on, begun, strict=True)]
    connection.execute(insert(Shift.__table__), rows)


def _shift(person: int, job: int, start: datetime, end: datetime | None) -> dict[str, object]:
    return {"user_id": person, "job_id": job, "created_at": start, "updated_at": end, "note": ""}
