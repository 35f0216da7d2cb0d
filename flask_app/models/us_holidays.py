"""The federal holidays of the United States, on the days on which they are observed. Pure.

Source: 5 U.S.C. 6103. One that falls on a Saturday is observed on the Friday before, on a Sunday on the
Monday after; so New Year's Day can be observed on the 31st of December, in the year before its own.
"""

from datetime import date, timedelta

MONDAY, THURSDAY = 0, 3


def us_federal_holidays(year: int) -> dict[date, str]:
    """Return the days of `year` on which a federal holiday is observed, in order."""
    found = {_observed(day): name for y in (year, year + 1) for day, name in _dates(y)}
    return {day: found[day] for day in sorted(found) if day.year == year}


def _dates(year: int) -> list[tuple[date, str]]:
    days = [
        (date(year, 1, 1), "New Year's Day"),
        (_nth(year, 1, MONDAY, 3), "Martin Luther King Jr. Day"),
        (_nth(year, 2, MONDAY, 3), "Washington's Birthday"),
        (_nth(year, 6, MONDAY, 1) - timedelta(weeks=1), "Memorial Day"),
        (date(year, 7, 4), "Independence Day"),
        (_nth(year, 9, MONDAY, 1), "Labor Day"),
        (_nth(year, 10, MONDAY, 2), "Columbus Day"),
        (date(year, 11, 11), "Veterans Day"),
        (_nth(year, 11, THURSDAY, 4), "Thanksgiving Day"),
        (date(year, 12, 25), "Christmas Day"),
    ]
    return [*days, (date(year, 6, 19), "Juneteenth")] if year >= 2021 else days


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _observed(day: date) -> date:
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))
