"""Shop-local days and times as forms write them, and the instants that they mean."""

from collections.abc import Mapping
from datetime import UTC, datetime

from flask_app.config import settings
from flask_app.web.parse import MISSING_TIME, shop_day, time_of_day


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
    local = datetime.combine(shop_day(day_text), time_of_day(time_text), tzinfo=settings().shop_timezone)
    instant = local.astimezone(UTC)
    if instant.astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError("That night the clocks went forward: there was no such time.")
    return instant
