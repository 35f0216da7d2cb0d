"""Shop-local days and times as forms write them, and the instants that they mean."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from flask_app.config import settings

MISSING_DAY = "Fill in the day."
MISSING_TIME = "Fill in the time."


def as_fields(name: str, instant: datetime | None) -> dict[str, str]:
    """Return the two texts that a form shows for an instant: `<name>_day` and `<name>_time`."""
    if instant is None:
        return {f"{name}_day": "", f"{name}_time": ""}
    local = instant.astimezone(settings().shop_timezone)
    return {f"{name}_day": local.date().isoformat(), f"{name}_time": local.strftime("%H:%M")}


def from_fields(name: str, form: Mapping[str, str], *, was: datetime | None = None) -> datetime | None:
    """Return the instant that a form means, None if both fields are empty; or raise ValueError, a sentence.

    A time whose minute was not touched is `was`, seconds and all.
    """
    day, at = form.get(f"{name}_day", "").strip(), form.get(f"{name}_time", "").strip()
    if not day and not at:
        return None
    if was is not None and as_fields(name, was) == {f"{name}_day": day, f"{name}_time": at[:5]}:
        return was
    return local_instant(day, at)


def local_instant(day_text: str, time_text: str) -> datetime:
    """Return the instant of a shop-local day and time; or raise ValueError, a sentence.

    Of a time that comes twice in the night when clocks go back, it is the first.
    """
    if not time_text:
        raise ValueError(MISSING_TIME)
    local = datetime.combine(local_day(day_text), _time(time_text), tzinfo=settings().shop_timezone)
    instant = local.astimezone(UTC)
    if instant.astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError("That night the clocks went forward: there was no such time.")
    return instant


def local_day(text: str) -> date:
    if not text:
        raise ValueError(MISSING_DAY)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError("This day can't be read. It looks like 2026-11-23.") from None
    if not 2000 <= day.year <= 2999:
        raise ValueError("This day is too far away.")
    return day


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        raise ValueError("This time can't be read. It looks like 15:30.") from None
