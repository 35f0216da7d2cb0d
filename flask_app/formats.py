"""Days and times of day as people of the present language read them. Zones are for the caller.

Spanish is that of the United States: `7:02 AM`, hours and numbers as in English; a day has its month by name,
so that nobody takes the 3rd of November for the 11th of March.
"""

from datetime import date, datetime
from functools import cache

from babel import Locale

from flask_app.words import ENGLISH, language


def time_of_day(local: datetime) -> str:
    """7:02 AM"""  # strftime takes four times as long, and a page may have a thousand times of day
    return f"{local.hour % 12 or 12}:{local.minute:02} {'AM' if local.hour < 12 else 'PM'}"


def stamp(local: datetime) -> str:
    """11/23/2026 7:02 AM · 23 nov 2026 7:02 AM"""
    if language() != ENGLISH:
        return f"{local.day} {month_name(local)} {local.year} {time_of_day(local)}"
    return f"{local.month:02}/{local.day:02}/{local.year} {time_of_day(local)}"


def day(value: date) -> str:
    """Mon 11/23/2026 · lun 23 nov 2026"""
    if language() != ENGLISH:
        return f"{short_day(value)} {value.year}"
    return f"{day_name(value)} {value.month:02}/{value.day:02}/{value.year}"


def short_day(value: date) -> str:
    """Mon Nov 23 · lun 23 nov"""
    if language() != ENGLISH:
        return f"{day_name(value)} {value.day} {month_name(value)}"
    return f"{day_name(value)} {month_name(value)} {value.day}"


def month_day(value: date) -> str:
    """11/23 · 23 nov"""
    if language() != ENGLISH:
        return f"{value.day} {month_name(value)}"
    return f"{value.month:02}/{value.day:02}"


def day_name(value: date) -> str:
    """Mon · lun"""
    return _names(language())[0][value.weekday()]


def month_name(value: date) -> str:
    """Nov · nov"""
    return _names(language())[1][value.month]


@cache
def _names(code: str) -> tuple[dict[int, str], dict[int, str]]:
    """The short names of days (Monday: 0) and months (January: 1)."""
    there = Locale(code, "US")
    return dict(there.days["format"]["abbreviated"]), dict(there.months["format"]["abbreviated"])
