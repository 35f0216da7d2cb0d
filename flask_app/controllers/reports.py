"""The reports: the same object becomes a page, a print view, a CSV or a workbook."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.clock import week_start
from flask_app.models import Job, Shift, User
from flask_app.models.errors import RuleViolation
from flask_app.models.user import DEPARTMENTS
from flask_app.reporting.departments import Departments
from flask_app.reporting.hours import (
    Selection,
    hours_by_week,
    read_unsettled,
    timesheet_of,
    unsettled_by,
    unsettled_by_week,
)
from flask_app.reporting.hours_report import hours_report
from flask_app.reporting.job_hours import burn_up, job_days, job_totals
from flask_app.reporting.jobs_report import (
    Work,
    figures_of,
    jobs_report,
    read_pace,
    read_work,
)
from flask_app.reporting.report import MARK_WORDS, Report, Unsettled
from flask_app.reporting.shifts_report import ONLY, Wanted, shifts_report
from flask_app.reporting.timesheet import Day
from flask_app.reporting.utilization_report import possible_report, quarterly_report
from flask_app.web import charts
from flask_app.web.access import admin_required, job_or_404
from flask_app.web.exports import as_csv, as_xlsx, file_name
from flask_app.web.now import now, today
from flask_app.web.parse import page_number, row_id
from flask_app.web.presenting import clock_rules, stamp, time_rules
from flask_app.web.ranges import PRESETS, Range, asked_range, quarter
from flask_app.words import _, lazy

bp = Blueprint("reports", __name__)

PER_PAGE = 50
PRINTED = 5000  # lines at most on paper
WEEKS = 8
_CARRIED = (
    "from", "to", "preset", "quarter", "person", "department", "job", "only", "q", "status", "sort",
)  # fmt: skip
_OF_PEOPLE = ("reports.shifts", "reports.hours")  # those that can be narrowed to one person
_ASKED = {  # the filters that each report has
    "reports.shifts": ("person", "department", "job", "only"),
    "reports.hours": ("person", "department"),
    "reports.quarterly": ("department",),
    "reports.jobs": ("q", "status"),
}
BOARDS = {"active": lazy("Active jobs"), "inactive": lazy("Closed jobs")}
_OLD_PRESETS = {"this_month": "month", "two_weeks": "two_weeks", "last_two_weeks": "two_weeks"}


@bp.get("/reports")
@admin_required
def index() -> ResponseReturnValue:
    weeks = hours_by_week(today(), WEEKS, clock_rules(), now=now())
    codes = [code for code in DEPARTMENTS if any(code in by for _start, by in weeks)]
    labels = [start.strftime("%m/%d") for start, _by in weeks]
    chart = charts.bar_chart(labels, [[by.get(code, 0) / 60 for code in codes] for _start, by in weeks])
    unsettled = unsettled_by_week(today(), WEEKS, clock_rules(), now=now())
    sums = {start: _added([of for (week, _), of in unsettled.items() if week == start]) for start, _ in weeks}
    return render_template(
        "reports/index.html", weeks=weeks, codes=codes, chart=chart, unsettled=unsettled, unsettled_sums=sums
    )


def _added(sums: Sequence[Unsettled]) -> Unsettled:
    return sum(is_open for is_open, _ in sums), sum(assumed for _, assumed in sums)


@bp.get("/reports/shifts")
@admin_required
def shifts() -> ResponseReturnValue:
    days, problem = _range("week")
    selection, only = _selection(days), request.args.get("only", "")
    wanted = Wanted(selection, only if only in ONLY else "", _sort("-start"))
    only_lines = request.args.get("format") == "csv" and not request.args.get("subtotals")
    report = shifts_report(wanted, time_rules(), now=now(), period=days.words, sums=not only_lines)
    adds_up = [] if selection.job_id is not None or wanted.only else _adds_up(selection)
    name = _("shifts %(first)s to %(last)s", first=days.first, last=days.last)
    return _answer(report, "reports/shifts.html", name, problem, days, adds_up=adds_up)


def _adds_up(selection: Selection) -> Sequence[Day[Shift]]:
    """Return the days of which one person's hours are the sum; none for more than one person."""
    person = User.numbered(str(selection.user_id)) if selection.user_id else None
    if person is None:
        return []
    sheet = timesheet_of(person, selection.first, selection.last, time_rules(), now=now())
    if selection.department is None:
        return sheet.days
    departments = Departments.read(selection.first)
    present = person.department
    return [d for d in sheet.days if departments.on(person.id, d.date, present) == selection.department]


@bp.get("/reports/possible")
@admin_required
def possible() -> ResponseReturnValue:
    """The days that one person's possible hours are made of."""
    person = User.numbered(request.args.get("person", ""))
    if person is None:
        return redirect(url_for("reports.quarterly"))
    days, problem = _range("quarter")
    selection = _selection(days, job=False)
    report = possible_report(selection, person, time_rules(), now=now(), period=days.words)
    name = _("possible hours %(first)s to %(last)s", first=days.first, last=days.last)
    return _answer(report, "reports/possible.html", name, problem, days)


@bp.get("/reports/hours")
@admin_required
def hours() -> ResponseReturnValue:
    days, problem = _range("week")
    report = hours_report(_selection(days, job=False), time_rules(), now=now(), period=days.words)
    return _answer(
        report,
        "reports/hours.html",
        _("hours %(first)s to %(last)s", first=days.first, last=days.last),
        problem,
        days,
    )


@bp.get("/reports/quarterly")
@admin_required
def quarterly() -> ResponseReturnValue:
    days, problem = _range("quarter")
    report = quarterly_report(
        _selection(days, job=False), time_rules(), now=now(), period=days.words, sort=_sort("")
    )
    name = _("utilization %(first)s to %(last)s", first=days.first, last=days.last)
    return _answer(report, "reports/quarterly.html", name, problem, days, quarters=_quarters())


def _quarters() -> dict[str, str]:
    """The quarters of this year and the ten before, latest first."""
    years = range(today().year, today().year - 11, -1)
    begun = ((y, n) for y in years for n in (4, 3, 2, 1) if quarter(y, n)[0] <= today())
    return {f"{year}-Q{n}": _("Quarter %(n)s of %(year)s", n=n, year=year) for year, n in begun}


@bp.get("/reports/jobs")
@admin_required
def jobs() -> ResponseReturnValue:
    status = request.args.get("status", "active")
    status = status if status in ("active", "inactive", "") else "active"
    words = request.args.get("q", "")[:200]
    report = jobs_report(clock_rules(), now=now(), words=words, status=status, sort=_sort(""))
    report = replace(report, period=_("Up to %(time)s", time=stamp(now())))
    return _answer(report, "reports/jobs.html", _("jobs %(today)s", today=today()), None, None, status=status)


@bp.get("/reports/jobs/<int:job_id>")
@admin_required
def job(job_id: int) -> ResponseReturnValue:
    found, rules = job_or_404(job_id), clock_rules()
    weeks, pace = burn_up(found, rules, now=now()), read_pace(today())
    totals = job_totals(found, Departments.read(), rules, now=now())
    work = read_work(pace, rules, now=now(), of=Shift.job_id == found.id).get(found.id, Work())
    figures = figures_of(found.estimated_hours, work, pace)
    lately = job_days(found, pace.days[0], today() - timedelta(days=1), rules, now=now())
    whole = Selection(weeks[0][0] if weeks else today(), today(), job_id=found.id)
    may_change = read_unsettled(whole, rules, now=now())
    unsettled_days = unsettled_by(may_change, lambda shift: shift.day)
    labels = [start.strftime("%m/%d") for start, _sum in weeks]
    chart = charts.line_chart(labels, [minutes / 60 for _start, minutes in weeks], found.estimated_hours)
    return render_template(
        "reports/job.html",
        job=found,
        weeks=weeks,
        chart=chart,
        totals=totals,
        figures=figures,
        lately=lately,
        unsettled_days=unsettled_days,
        unsettled_lately=_added([unsettled_days.get(day, (0, 0)) for day, _ in lately]),
        unsettled_weeks=unsettled_by(may_change, lambda shift: week_start(shift.day)),
        until=today(),
    )


@bp.get("/shift_report")
@bp.get("/shift_report/<preset>")
@admin_required
def old_shifts(preset: str = "") -> ResponseReturnValue:
    """The old addresses, with the days that they named."""
    preset = preset or request.args.get("preset", "")
    days: dict[str, Any] = {"from": request.args.get("start_date"), "to": request.args.get("end_date")}
    return redirect(url_for("reports.shifts", preset=_OLD_PRESETS.get(preset, preset) or None, **days))


@bp.get("/quarterly_report")
@bp.get("/quarterly_report/<path:rest>")
@admin_required
def old_quarterly(rest: str = "") -> ResponseReturnValue:
    days: dict[str, Any] = {"from": request.args.get("start_date"), "to": request.args.get("end_date")}
    return redirect(url_for("reports.quarterly", format="csv" if "csv" in rest else None, **days))


def _answer(
    report: Report, template: str, name: str, problem: str | None, days: Range | None, **more: Any
) -> ResponseReturnValue:
    """Return the report in the form that the address asks for."""
    form = request.args.get("format", "")
    if form and problem:
        abort(400, problem)
    report = replace(report, filters=_filters())
    if form in ("csv", "xlsx"):
        return _file(report, name, form)
    section = report.sections[0]
    pages = max(1, -(-section.count // PER_PAGE))
    page = min(page_number(), pages)
    is_print = form == "print"
    limit, offset = (PRINTED, 0) if is_print else (PER_PAGE, (page - 1) * PER_PAGE)
    return render_template(
        template, report=report, section=section, rows=list(section.rows(limit, offset)), page=page,
        pages=1 if is_print else pages, is_print=is_print, printed=PRINTED, state=_state(),
        carried=_carried(), days=days,
        problem=problem, presets=PRESETS, people=_people(), job_text=_job_text(), **more,
    ), 422 if problem else 200  # fmt: skip


def _file(report: Report, name: str, form: str) -> ResponseReturnValue:
    """Return the report as a file, whose name says what it was narrowed to."""
    name = file_name(name, *(words for _label, words in report.filters))
    subtotals = bool(request.args.get("subtotals"))
    if form == "csv":
        return as_csv(report, name, subtotals=subtotals)
    try:
        return as_xlsx(report, name, subtotals=subtotals)
    except RuleViolation as refusal:
        flash(str(refusal), "error")
        return redirect(url_for(request.endpoint or "", **_state()))


def _filters() -> list[tuple[str, str]]:
    """What the report is narrowed to, in words."""
    args = request.args
    person = User.numbered(args.get("person", "")) if request.endpoint in _OF_PEOPLE else None
    filters = [
        ("person", _("Employee"), person.name if person else ""),
        ("department", _("Department"), DEPARTMENTS.get(args.get("department", ""), "")),
        ("job", _("Job"), _job_text().strip()),
        ("only", _("Only"), str(MARK_WORDS.get(args.get("only", ""), ""))),
        ("q", _("Search"), args.get("q", "")[:200].strip()),
        ("status", _("Board"), str(BOARDS.get(args.get("status", "active"), ""))),
    ]
    asked = _ASKED.get(request.endpoint or "", ())
    return [(label, words) for name, label, words in filters if words and name in asked]


def _state() -> dict[str, Any]:
    """What a link has to carry to lead to the same report; nothing else that the address may have."""
    return {name: request.args[name] for name in _CARRIED if request.args.get(name)}


def _carried() -> dict[str, Any]:
    """The state without its days, for the presets."""
    return {name: text for name, text in _state().items() if name not in ("from", "to", "preset", "quarter")}


def _range(usual: str) -> tuple[Range, str | None]:
    try:
        return asked_range(request.args, usual=usual, today=today()), None
    except ValueError as problem:
        return asked_range({}, usual=usual, today=today()), str(problem)


def _selection(days: Range, *, job: bool = True) -> Selection:
    person = request.args.get("person", "")
    department = request.args.get("department", "")
    return Selection(
        days.first,
        days.last,
        user_id=row_id(person),
        department=department if department in DEPARTMENTS else None,
        job_id=_job_id() if job else None,
    )


def _job_id() -> int | None:
    number = request.args.get("job", "").strip()
    found = Job.numbered(number) if number else None
    return found.id if found else (0 if number else None)


def _job_text() -> str:
    return request.args.get("job", "")[:50]


def _people() -> dict[int, str]:
    return User.names() if request.endpoint in _OF_PEOPLE else {}


def _sort(usual: str) -> str:
    return request.args.get("sort", "")[:30] or usual
