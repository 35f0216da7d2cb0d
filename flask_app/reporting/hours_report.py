"""Hours by employee and day, week or month, with subtotals by department."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from flask_app import formats
from flask_app.clock import week_start
from flask_app.models.database import db
from flask_app.models.user import DEPARTMENTS, User, full_name
from flask_app.reporting.departments import Departments
from flask_app.reporting.hours import PersonDay, Selection, read_person_days
from flask_app.reporting.report import (
    HOURS,
    UNSETTLED_COLUMNS,
    WHOLE,
    Column,
    Report,
    Row,
    Unsettled,
    listed,
    unsettled_figures,
)
from flask_app.reporting.timesheet import TimeRules
from flask_app.words import _

DAYS_AT_MOST = 31  # a longer range is shown by weeks, and one of more weeks than this by months
WEEKS_AT_MOST = 27
_FIRST_SLOT = 3  # the place of the first day


@dataclass(slots=True)
class Figures:
    """What somebody, or some people together, worked: in minutes, and by the day on which a column begins."""

    worked: int = 0
    meal: int = 0
    open: int = 0
    assumed: int = 0
    by_slot: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    open_by_slot: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    assumed_by_slot: dict[date, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, day: PersonDay, slot: date) -> None:
        self.worked += day.minutes
        self.meal += day.meal
        self.open += day.open
        self.assumed += day.assumed
        self.by_slot[slot] += day.minutes
        if day.open:
            self.open_by_slot[slot] += day.open
        if day.assumed:
            self.assumed_by_slot[slot] += day.assumed


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns the report has: those of its days, and in files what of them may still change."""

    slots: Sequence[date]
    meals: bool
    is_open: Sequence[date]  # the slots with hours of open shifts
    assumed: Sequence[date]


def hours_report(selection: Selection, rules: TimeRules, *, now: datetime, period: str) -> Report:
    """Return what everybody worked on the days of the selection."""
    slot = _slots(selection)
    days = read_person_days(selection, rules, now=now, unsettled=True)
    people, everything = _people({day.user_id for day in days}), _figures(days, slot)
    slots = sorted({slot(selection.first + timedelta(n)) for n in range(_length(selection))})
    layout = Layout(
        slots, rules.has_meals, sorted(everything.open_by_slot), sorted(everything.assumed_by_slot)
    )
    rows: list[Row] = []
    for code, theirs in _by_department(days, people, selection):
        sums = [(people[user_id], _figures(mine, slot)) for user_id, mine in theirs]
        together = _figures((day for _, mine in theirs for day in mine), slot)
        rows += _department(code, sums, together, layout)
    totals = [_("All"), None, None, *_cells(everything, layout)]
    figures = [(_("People"), WHOLE, len(people)), (_("Worked"), HOURS, everything.worked)]
    if layout.meals:
        figures += [
            (_("Meal"), HOURS, everything.meal),
            (_("Paid"), HOURS, everything.worked - everything.meal),
        ]
    figures += unsettled_figures(everything.open, everything.assumed)
    table = listed(_("Hours"), _columns(layout, selection), rows, totals, _unsettled(everything, layout))
    return Report(_("Hours"), period, [table], figures)


def _columns(layout: Layout, selection: Selection) -> list[Column]:
    ends = [start - timedelta(days=1) for start in layout.slots[1:]]
    spans = zip(layout.slots, [*ends, selection.last], strict=True)
    kinds = ((_("on the clock"), layout.is_open), (_("assumed"), layout.assumed))
    return [
        Column(_("Employee"), link="person"),
        Column(_("Employee number"), in_files=True),
        Column(_("Department"), minor=True),
        *(Column(_label(span[0], selection), HOURS, link="span", span=span) for span in spans),
        Column(_("Worked"), HOURS, link="range"),
        *(
            [Column(_("Meal"), HOURS, link="range"), Column(_("Paid"), HOURS, link="range")]
            if layout.meals
            else []
        ),
        *UNSETTLED_COLUMNS,
        *(
            Column(f"{_label(start, selection)}, {kind}", HOURS, in_files=True)
            for kind, slots in kinds
            for start in slots
        ),
    ]


def _by_department(
    days: Sequence[PersonDay], people: Mapping[int, Any], selection: Selection
) -> Iterable[tuple[str, list[tuple[int, list[PersonDay]]]]]:
    """Yield each department with its people's days, by name: whoever moved stands in both."""
    departments = Departments.read(selection.first)
    found: dict[str, dict[int, list[PersonDay]]] = defaultdict(lambda: defaultdict(list))
    for day in days:
        code = departments.on(day.user_id, day.day, people[day.user_id].department)
        found[code][day.user_id].append(day)
    for code in sorted(found):
        yield code, [(user_id, found[code][user_id]) for user_id in people if user_id in found[code]]


def _department(
    code: str, sums: Sequence[tuple[Any, Figures]], together: Figures, layout: Layout
) -> Iterable[Row]:
    name = DEPARTMENTS.get(code, code)
    for person, figures in sums:
        shown = full_name(person.first_name, person.last_name, person.told_apart_by)
        cells = (shown, person.employee_number, name, *_cells(figures, layout))
        ids = {"person": person.id, "department": code}
        yield Row(cells, ids, unsettled=_unsettled(figures, layout))
    cells = (_("%(department)s total", department=name), None, None, *_cells(together, layout))
    yield Row(cells, {"department": code}, is_group=True, unsettled=_unsettled(together, layout))


def _figures(days: Iterable[PersonDay], slot: Callable[[date], date]) -> Figures:
    figures = Figures()
    for day in days:
        figures.add(day, slot(day.day))
    return figures


def _cells(figures: Figures, layout: Layout) -> list[int | None]:
    days = [figures.by_slot.get(start) for start in layout.slots]
    paid = [figures.meal, figures.worked - figures.meal] if layout.meals else []
    is_open = [figures.open_by_slot.get(start, 0) for start in layout.is_open]
    assumed = [figures.assumed_by_slot.get(start, 0) for start in layout.assumed]
    return [*days, figures.worked, *paid, figures.open, figures.assumed, *is_open, *assumed]


def _unsettled(figures: Figures, layout: Layout) -> dict[int, Unsettled]:
    """Return how much of a line's sums may still change, by their places."""
    if not (figures.open or figures.assumed):
        return {}
    found = {
        place: (figures.open_by_slot.get(start, 0), figures.assumed_by_slot.get(start, 0))
        for place, start in enumerate(layout.slots, start=_FIRST_SLOT)
        if start in figures.open_by_slot or start in figures.assumed_by_slot
    }
    return {**found, _FIRST_SLOT + len(layout.slots): (figures.open, figures.assumed)}


def _people(ids: set[int]) -> dict[int, Any]:
    """Return people by id, in the order of names."""
    query = select(
        User.id, User.first_name, User.last_name, User.told_apart_by, User.department,
        User.employee_number,
    )  # fmt: skip
    rows = db.session.execute(query.order_by(*User.by_name()))
    return {row.id: row for row in rows if row.id in ids}


def _length(selection: Selection) -> int:
    return (selection.last - selection.first).days + 1


def _slots(selection: Selection) -> Callable[[date], date]:
    """Return what puts a day into its column: the day itself, its Monday, or the first of its month."""
    if _length(selection) <= DAYS_AT_MOST:
        return lambda day: day
    if _length(selection) <= 7 * WEEKS_AT_MOST:
        return lambda day: max(week_start(day), selection.first)
    return lambda day: max(day.replace(day=1), selection.first)


def _label(start: date, selection: Selection) -> str:
    if _length(selection) <= DAYS_AT_MOST:
        return formats.short_day(start)
    if _length(selection) <= 7 * WEEKS_AT_MOST:
        return _("From %(day)s", day=formats.month_day(start))
    return f"{formats.month_name(start)} {start.year}"
