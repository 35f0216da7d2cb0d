"""Years of the old program's database, with the dirt of a real one, and what was really so behind each shift.

The same seed makes the same years. Nothing of a real shop is in it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import bcrypt

from tests.adopt.old_shop import OldShop

SHOP = ZoneInfo("America/New_York")
PASSWORD = "Island-2026!"  # noqa: S105  # of people who do not exist
# When another clock began to write the starts: see flask_app/adopt/clocks.toml.
NO_STARTS = (datetime(2024, 1, 4, 21, 43, tzinfo=UTC), datetime(2024, 1, 8, 16, 14, tzinfo=UTC))
TYPED_ONLY, IN_UTC, IN_BROWSER = (
    datetime(2025, 3, 25, 18, 26, tzinfo=UTC), datetime(2025, 4, 3, 20, 6, tzinfo=UTC),
    datetime(2025, 4, 14, 19, 15, tzinfo=UTC),
)  # fmt: skip
_DEPARTMENTS = ("FABRICATION", "CNC_SHOP", "CUT_SHOP", "PAINT_SHOP", "ADMINISTRATIVE")
_ODD = ("", " ", None, "N/A", "SHOP", "4512A", "04512", " 4513", "4514 ", "0000", "shop", "45.1", "4512a")
_WIDE = ("IM-4512", "2458 (4391)", "4512 / 4513", "4512-A rev 2", "SHOP CLEANING")
_HOURS = ("40", "0040", "12.5", "0", "", None, "TBD", "1,200", "350")
_NOTES = ("", "", "", "sanding", "helped José", "=SUM(A1:A9)", "<b>see foreman</b>", "CNC down 40 min")
_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Truth:
    """When a shift really began and ended; None: it didn't end, or nobody knows when."""

    start: datetime
    end: datetime | None


@dataclass(slots=True)
class OldYears:
    """How much there is, and how it was stored. `server` is the zone of the old database's host."""

    people: int = 60
    jobs: int = 3000
    shifts: int = 120_000
    wide: bool = False  # IM numbers longer than five characters
    null_starts: bool = False
    server: ZoneInfo = SHOP
    seed: int = 7
    years: int = 3
    now: datetime = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
    truth: dict[int, Truth] = field(default_factory=dict)

    def fill(self, shop: OldShop) -> None:
        """Put the years into an empty database; `truth` has the shifts by their numbers afterwards."""
        dice = random.Random(self.seed)  # noqa: S311  # not a secret
        shop.add("users", list(self._people(dice)))
        shop.add("jobs", list(self._jobs(dice)))
        rows: list[dict[str, Any]] = []
        for number, (person, job, start, end, stored_end) in enumerate(self._shifts(dice), start=1):
            self.truth[number] = Truth(start, end)
            rows.append(self._stored(number, person, job, start, end, stored_end, dice))
            if len(rows) == _CHUNK:
                shop.add("shifts", rows)
                rows = []
        if rows:
            shop.add("shifts", rows)

    def _people(self, dice: random.Random) -> Iterator[dict[str, Any]]:
        password = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        odd: dict[int, dict[str, Any]] = {
            4: {"email": None}, 5: {"department": "Paint Shop"}, 6: {"department": None},
            7: {"email": "P8@SHOP.example", "deleted_date": "2025-05-01 16:00:00"}, 9: {"password": "plain"},
        }  # fmt: skip
        for n in range(1, self.people + 1):
            hashed = password.replace("$2b$", dice.choice(("$2b$", "$2y$")))
            row = {
                "id": n, "first_name": "Zoë" if n % 9 == 0 else "Ana", "last_name": f"Duarte {n}",
                "email": f"p{n}@shop.example", "department": _DEPARTMENTS[n % 5], "password": hashed,
                "created_at": "2023-01-02 09:00:00", "deleted_date": None,
            }  # fmt: skip
            yield {**row, **odd.get(n, {})}

    def _jobs(self, dice: random.Random) -> Iterator[dict[str, Any]]:
        for n in range(1, self.jobs + 1):
            number: str | None = str(2100 + n)
            if n % 190 == 0:
                number = _ODD[n // 190 % len(_ODD)]
            elif self.wide and n % 170 == 0:
                number = _WIDE[n // 170 % len(_WIDE)]
            elif n % 97 == 0:
                number = str(2100 + n - dice.randrange(1, 90))
            by_hand = dice.random() < 0.25
            yield {
                "id": n, "im_number": number, "general_contractor": "Gilbane", "user_id": 1,
                "job_scope": "x" * 900 if n % 300 == 0 else "Reception desk", "context": None,
                "estimated_hours": dice.choice(_HOURS) if by_hand else "0000",
                "status": int(n > self.jobs * 0.86), "created_at": "2023-01-03 09:00:00",
            }  # fmt: skip

    def _shifts(self, dice: random.Random) -> Iterator[tuple[int, int, datetime, datetime | None, Any]]:
        """Yield person, job, start, end, and what the old auto clock-out wrote instead of an end."""
        today = self.now.astimezone(SHOP).date()
        days = [today - timedelta(days=back) for back in range(365 * self.years, 0, -1)]
        days = [day for day in days if day.weekday() < 5]
        a_day, extra = divmod(self.shifts, len(days) * self.people)
        made = 0
        for n, day in enumerate(days):
            for person in range(1, self.people + 1):
                many = a_day + (n * self.people + person - 1 < extra)
                for one in self._working_day(person, day, min(many, self.shifts - made), dice):
                    made += 1
                    yield one
                    if dice.random() < 0.0006:  # a punch that was sent twice
                        yield one
            if day.weekday() == 4 and (sunday := day + timedelta(days=2)) and _clocks_change_on(sunday):
                yield from self._nights(sunday, dice)

    def _nights(
        self, sunday: date, dice: random.Random
    ) -> Iterator[tuple[int, int, datetime, datetime | None, Any]]:
        """Shifts over the hour that comes twice, or is skipped, and some within it."""
        for person in range(1, 13):
            start = _at(sunday - timedelta(days=1), 22) + timedelta(minutes=dice.randrange(60))
            yield person, dice.randrange(1, self.jobs + 1), start, start + timedelta(hours=8), None
        for person, minutes in zip(range(13, 19), (30, 75, 90, 105, 135, 150), strict=True):
            start = _at(sunday, 0) + timedelta(minutes=minutes)
            yield person, dice.randrange(1, self.jobs + 1), start, start + timedelta(hours=1), None

    def _working_day(
        self, person: int, day: date, many: int, dice: random.Random
    ) -> Iterator[tuple[int, int, datetime, datetime | None, Any]]:
        began = _at(day, 7) + timedelta(seconds=dice.randrange(1200))
        length = timedelta(hours=8, minutes=30) / max(many, 1)
        for n in range(many):
            start = (began + n * length).replace(microsecond=0)
            end = start + length + timedelta(seconds=dice.randrange(75) if n < many - 1 else 0)
            job = dice.randrange(1, self.jobs + 1)
            is_last, odd = n == many - 1, dice.random()
            automatic = datetime.combine(day, datetime.min.time()).replace(hour=15, minute=30)
            if is_last and odd < 0.004:
                yield person, job, start, None, None
            elif is_last and odd < 0.012:
                yield person, job, start, start + timedelta(days=dice.choice((1, 2, 7)), hours=9), None
            elif is_last and odd < 0.018:
                late = _at(day, 15) + timedelta(minutes=31 + dice.randrange(240))
                yield person, job, late, None, automatic
            elif is_last and odd < 0.06:
                yield person, job, start, None, automatic
            else:
                yield person, job, start, end.replace(microsecond=0), None

    def _stored(
        self, number: int, person: int, job: int, start: datetime, end: datetime | None, stored_end: Any,
        dice: random.Random,
    ) -> dict[str, Any]:  # fmt: skip
        if stored_end is None and end is not None:
            stored_end = _wall(end, self.server)
        row = {"id": number, "created_at": self._stored_start(start, dice), "updated_at": stored_end}
        return {**row, "job_id": job, "user_id": person, "note": dice.choice(_NOTES)}

    def _stored_start(self, start: datetime, dice: random.Random) -> datetime | None:
        if self.null_starts and NO_STARTS[0] <= start < NO_STARTS[1]:
            return None
        if start < TYPED_ONLY:
            return _wall(start, self.server)
        if IN_UTC <= start < IN_BROWSER or self._without_javascript(start, dice):
            return _wall(start, UTC)
        return _wall(start, SHOP).replace(second=0)

    def _without_javascript(self, start: datetime, dice: random.Random) -> bool:
        """Whether the server filled in the start. One without seconds would look like a browser's."""
        return start >= IN_BROWSER and start.second > 0 and dice.random() < 0.002


def _clocks_change_on(day: date) -> bool:
    return _at(day, 0).astimezone(SHOP).utcoffset() != _at(day, 12).astimezone(SHOP).utcoffset()


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=SHOP).astimezone(UTC)


def _wall(instant: datetime, zone: Any) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)
