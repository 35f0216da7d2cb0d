"""Which department hours belong to: the one that a person was in on the day on which they count.

Few people ever move, so everything is read from `users` but for them; in Python and in SQL alike.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, null, or_, select

from flask_app.clock import day_bounds
from flask_app.models.dated import Dated
from flask_app.models.department_stay import DepartmentStay
from flask_app.models.shift import Shift
from flask_app.models.user import User


@dataclass(frozen=True, slots=True)
class Departments:
    """The departments of those who moved. `since` is the first day that is asked for: nobody is a mover
    whose moves were all before it."""

    movers: Mapping[int, Dated[str]]
    since: date

    @classmethod
    def read(cls, since: date = date.min) -> "Departments":
        moved = DepartmentStay.of_movers()
        return cls({who: stays for who, stays in moved.items() if stays.days[-1] > since}, since)

    def on(self, user_id: int, day: date, present: str) -> str:
        """Return where somebody was on a day; `present` is `users.department`."""
        stays = self.movers.get(user_id)
        return stays.on(day) if stays else present

    def _spans(self, user_id: int) -> Iterator[tuple[date | None, date | None, str]]:
        """Yield (from, before, department) of a mover; None is no end."""
        stays = self.movers[user_id]
        ends: list[date | None] = [*stays.days, None]
        for begins, before, department in zip([None, *stays.days], ends, stays.values, strict=True):
            if before is None or before > self.since:
                yield begins, before, department

    def of_day(self, user_id: Any, day: Any, epoch: int) -> ColumnElement[Any]:
        """Return SQL for where a mover was on a numbered day (days since the ordinal `epoch`), else NULL."""
        return self._column(user_id, day, lambda before: before.toordinal() - epoch)

    def of_shift(self, zone: tzinfo) -> ColumnElement[Any]:
        """Return SQL for the department that a shift counts for; the query has joined the shift's user."""
        if not self.movers:
            return User.department.expression
        moved = self._column(Shift.user_id, Shift.started_at, lambda before: _start(before, zone))
        return func.coalesce(moved, User.department)

    def _column(self, user_id: Any, moment: Any, as_moment: Callable[[date], Any]) -> ColumnElement[Any]:
        whens = []
        for mover in self.movers:
            for _, before, department in self._spans(mover):
                rule = (
                    user_id == mover if before is None else and_(user_id == mover, moment < as_moment(before))
                )
                whens.append((rule, literal(department)))
        return case(*whens, else_=null()) if whens else null()

    def chosen(self, department: str, zone: tzinfo) -> ColumnElement[bool]:
        """Return SQL: whether a shift counts for that department."""
        people = select(User.id).where(User.department == department)
        if not self.movers:
            return Shift.user_id.in_(people)
        stayed = and_(Shift.user_id.in_(people), Shift.user_id.not_in(list(self.movers)))
        return or_(stayed, *self._chosen_movers(department, zone))

    def _chosen_movers(self, department: str, zone: tzinfo) -> Iterator[ColumnElement[bool]]:
        for mover in self.movers:
            for begins, before, code in self._spans(mover):
                if code == department:
                    yield and_(Shift.user_id == mover, *_between(begins, before, zone))


def _between(begins: date | None, before: date | None, zone: tzinfo) -> Iterator[ColumnElement[bool]]:
    if begins is not None:
        yield Shift.started_at >= _start(begins, zone)
    if before is not None:
        yield Shift.started_at < _start(before, zone)


def _start(day: date, zone: tzinfo) -> datetime:
    return day_bounds(day, zone)[0]
