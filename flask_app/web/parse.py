"""One parser for each kind of text in forms and addresses: ids, numbers, days, times of day, hours."""

import re
from datetime import date, time
from urllib.parse import urlsplit

from flask import request

from flask_app.models.types import natural_number
from flask_app.words import _, lazy

MISSING_DAY = lazy("Enter the day.")
MISSING_TIME = lazy("Enter the time.")


def site_of(address: str) -> tuple[str, str]:
    """Return scheme and host (with its port) of an address that a header tells; both "" if it is none."""
    try:
        parts = urlsplit(address)
    except ValueError:  # such as "http://[::1"
        return "", ""
    return parts.scheme, parts.netloc


def row_id(text: str) -> int | None:
    """Return the id that a text names; None if it names none, or one that no table has."""
    return natural_number(text)


def page_number() -> int:
    """Return which page of a list the address asks for, at least 1."""
    return whole_number(request.args.get("page", ""), low=1, high=10**6, usual=1)


def whole_number(text: str, *, low: int, high: int, usual: int) -> int:
    """Return a number of an address such as a page or a year, kept within `low` and `high`."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
        return usual
    return min(max(low, int(text)), high)


def shop_day(text: str) -> date:
    """Return a day such as 2026-11-23; or raise ValueError, a sentence."""
    text = text.strip()
    if not text:
        raise ValueError(MISSING_DAY)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(_("This day can't be read. Write it like 2026-11-23.")) from None
    if not 2000 <= day.year <= 2999:
        raise ValueError(_("This day is too far away."))
    return day


def time_of_day(text: str) -> time:
    """Return a time such as 15:30, cut to its minute; or raise ValueError, a sentence."""
    text = text.strip()
    if not text:
        raise ValueError(MISSING_TIME)
    try:
        at = time.fromisoformat(text)
    except ValueError:
        raise ValueError(_("This time can't be read. Write it like 15:30.")) from None
    return at.replace(second=0, microsecond=0, tzinfo=None)


def hours(text: str) -> float:
    """Return a length of time in hours, from 12.5 or 12:30; or raise ValueError, a sentence."""
    text = text.strip()
    if clock := re.fullmatch(r"([0-9]{1,6}):([0-5][0-9])", text):
        return round(int(clock[1]) + int(clock[2]) / 60, 2)
    if not re.fullmatch(r"[+-]?[0-9]{1,12}(\.[0-9]{0,12})?|\.[0-9]{1,12}", text):
        raise ValueError(_("Enter a number of hours such as 40 or 12.5."))
    return round(float(text), 2)
