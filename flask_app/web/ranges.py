"""The days that a report is asked for: a preset, which stays relative in its address, or two days."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from flask_app.clock import week_start
from flask_app.web.parse import shop_day
from flask_app.web.presenting import day
from flask_app.words import _, lazy

PRESETS = {
    "today": lazy("Today"),
    "week": lazy("This pay week"),
    "last_week": lazy("Last week"),
    "two_weeks": lazy("Last two weeks"),
    "month": lazy("This month"),
    "last_month": lazy("Last month"),
    "quarter": lazy("This quarter"),
    "last_quarter": lazy("Last quarter"),
}
_LONGEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Range:
    """Both days are included. `preset` is "" where the days were typed."""

    first: date
    last: date
    preset: str = ""

    @property
    def words(self) -> str:
        return day(self.first) if self.first == self.last else f"{day(self.first)} – {day(self.last)}"


def asked_range(args: Mapping[str, str], *, usual: str, today: date) -> Range:
    """Return the days that an address names; or raise ValueError, a sentence."""
    first, last = args.get("from", ""), args.get("to", "")
    if first or last:
        begin = shop_day(first or last)
        end = shop_day(last) if last else max(begin, today)
        if end < begin:
            raise ValueError(_("The last day is before the first day. Swap them."))
        if end - begin > _LONGEST:
            raise ValueError(_("That's more than ten years. Choose fewer days."))
        return Range(begin, end)
    if args.get("quarter"):
        return _named_quarter(args["quarter"])
    preset = args.get("preset") or usual
    if preset not in PRESETS:
        raise ValueError(_("There is no such range of days. Choose one below."))
    return Range(*_preset(preset, today), preset)


def _preset(preset: str, today: date) -> tuple[date, date]:
    monday, month = week_start(today), today.replace(day=1)
    return {
        "today": (today, today),
        "week": (monday, monday + timedelta(days=6)),
        "last_week": (monday - timedelta(days=7), monday - timedelta(days=1)),
        "two_weeks": (monday - timedelta(days=14), monday - timedelta(days=1)),
        "month": (month, month_end(month)),
        "last_month": (_month_before(month), month - timedelta(days=1)),
        "quarter": quarter(today.year, (today.month + 2) // 3),
        "last_quarter": _quarter_before(today),
    }[preset]


def quarter(year: int, number: int) -> tuple[date, date]:
    """Return the first and the last day of quarter 1 to 4."""
    return date(year, 3 * number - 2, 1), month_end(date(year, 3 * number, 1))


def month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def _quarter_before(today: date) -> tuple[date, date]:
    first = quarter(today.year, (today.month + 2) // 3)[0] - timedelta(days=1)
    return quarter(first.year, first.month // 3)


def _named_quarter(text: str) -> Range:
    """2026-Q4"""
    named = re.fullmatch(r"(20[0-9]{2})-Q([1-4])", text)
    if not named:
        raise ValueError(_("This quarter can't be read. Write it like 2026-Q4."))
    return Range(*quarter(int(named[1]), int(named[2])))
