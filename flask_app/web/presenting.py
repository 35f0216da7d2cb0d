"""What every template can use: who is looking, the time, and how the shop writes it."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from flask import Flask, g, request, url_for

from flask_app import formats
from flask_app.clock import at_minute, day_bounds
from flask_app.config import settings
from flask_app.formats import day as day
from flask_app.formats import short_day as short_day
from flask_app.im_number import order_key
from flask_app.models import TimeRule, db
from flask_app.models.department_stay import BEGINNING
from flask_app.models.user import DEPARTMENTS
from flask_app.models.working_week import works_on
from flask_app.reporting.report import mark_words
from flask_app.reporting.timesheet import MealRule, TimeRules, worked_minutes
from flask_app.sync.decision import Change
from flask_app.sync.health import held_run, sync_trouble
from flask_app.timeclock.clock_out_watch import clock_out_trouble
from flask_app.timeclock.shift_rules import PunchRules
from flask_app.web.access import me, my_shift
from flask_app.web.now import now
from flask_app.words import _


def init_app(app: Flask) -> None:
    app.before_request(_read_only_for_get)
    app.context_processor(_context)
    app.jinja_env.globals.update(
        static_url=static_url,
        punch_key=lambda: str(uuid4()),
        my_shift=my_shift,
        sync_trouble=lambda: sync_trouble(now=now()),
        held_run=held_run,
        clock_out_trouble=lambda: clock_out_trouble(settings().shop_timezone, now=now()),
        tab_of=tab_of,
        time_rules=time_rules,
        day_end=day_end,
        week_end=week_end,
    )
    for present in (so_far, clock, stamp, time_on, day, short_day, hm, hours, iso):
        app.jinja_env.filters[present.__name__] = present
    app.jinja_env.filters.update(weekdays=weekdays, at_minute=at_minute, mark_words=mark_words)
    app.jinja_env.filters["by_job"] = by_job
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def clock(instant: datetime) -> str:
    """7:02 AM"""
    return formats.time_of_day(_local(instant))


def stamp(instant: datetime) -> str:
    """11/23/2026 7:02 AM · 23 nov 2026 7:02 AM"""
    return formats.stamp(_local(instant))


def weekdays(numbers: int) -> str:
    """Mon, Tue, Sat · lun, mar, sáb"""
    monday = date(2024, 1, 1)
    week = (monday + timedelta(days=n) for n in range(7))
    return ", ".join(formats.day_name(day) for day in week if works_on(numbers, day)) or _("no day")


def time_on(instant: datetime, day: object) -> str:
    """7:02 AM of that day, and with its own day where it is another: Tue Nov 24 7:02 AM"""
    local = _local(instant)
    time = formats.time_of_day(local)
    return time if local.date() == day else f"{formats.short_day(local)} {time}"


def so_far(start: datetime) -> int:
    """What an open shift is worth by now: clock minutes"""
    return max(0, worked_minutes(start, now()))


def hm(minutes: int) -> str:
    """7:32"""
    return f"{minutes // 60}:{minutes % 60:02}"


def hours(minutes: int) -> str:
    """7.53, and 40 without zeros"""
    return f"{minutes / 60:.2f}".rstrip("0").rstrip(".")


def iso(instant: datetime) -> str:
    """2026-11-23T12:02:00Z, for scripts and <time>"""
    return f"{instant.astimezone(UTC).isoformat()[:19]}Z"


def week_end(monday: date) -> date:
    """The Sunday of the week that begins on a Monday"""
    return monday + timedelta(days=6)


def day_end(value: date) -> datetime:
    """The instant at which a shop day is over"""
    return day_bounds(value, settings().shop_timezone)[1]


def tab_of(endpoint: str | None) -> str:
    """Return which tab a page belongs to; what only admins open is the office."""
    part = (endpoint or "").partition(".")[0]
    tabs = {"today": "today", "reports": "reports", "corrections": "shifts", "account": "", "": ""}
    special = {
        "jobs.dashboard": "jobs",
        "jobs.show": "jobs",
        "shifts.hours": "shifts",
        "timesheets.mine": "shifts",
        "timesheets.index": "reports",
        "corrections.queue": "office",
    }
    return special.get(endpoint or "") or tabs.get(part, "office")


def clock_rules() -> TimeRules:
    """Return how this shop counts minutes and days: its time rules without the meals, which are read."""
    return TimeRules(settings().shop_timezone)


def time_rules() -> TimeRules:
    """Return how this shop counts its hours, each meal rule with the day from which it holds."""
    if "time_rules" not in g:
        config = settings()
        # Until the first rule is written down (at the start, or by `db upgrade`) the environment's holds.
        first = MealRule(config.meal_minutes, config.meal_after)
        rules = [(rule.from_day, MealRule(rule.meal_minutes, rule.meal_after)) for rule in TimeRule.all()]
        if rules and rules[0][0] == BEGINNING:
            first = rules.pop(0)[1]
        g.time_rules = TimeRules(config.shop_timezone, first, tuple(rules))
    found: TimeRules = g.time_rules
    return found


def punch_rules() -> PunchRules:
    """Return what this shop believes of a punch."""
    return PunchRules(settings().shop_timezone, settings().longest_shift)


def static_url(name: str) -> str:
    """The address of a static file with its content's hash, so that it may be cached for a year."""
    return url_for("static", filename=name, v=_content_hash(name))


@cache
def _content_hash(name: str) -> str:
    return sha256((Path(__file__).parents[1] / "static" / name).read_bytes()).hexdigest()[:12]


def _local(instant: datetime) -> datetime:
    return instant.astimezone(settings().shop_timezone)


def _read_only_for_get() -> None:
    if request.method in ("GET", "HEAD"):
        db.reads_only()


def _context() -> dict[str, object]:
    return {"me": me(), "settings": settings(), "now": now(), "departments": DEPARTMENTS}


def by_job(changes: Iterable[Change]) -> list[list[Change]]:
    """Return a sync's changes job by job, in the order of the numbers."""
    jobs: dict[int, list[Change]] = {}
    for change in changes:
        jobs.setdefault(change.job_id, []).append(change)
    return sorted(jobs.values(), key=lambda of_one: order_key(of_one[0].im_number))
