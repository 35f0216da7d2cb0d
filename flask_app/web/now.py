"""What time it is for this request: taken once, and the same in all its parts."""

from datetime import date, datetime

from flask import g

from flask_app.clock import day_of, utc_now
from flask_app.config import settings


def now() -> datetime:
    """Return the instant of this request, aware, in whole seconds; a retry of its work has the same."""
    moment: datetime | None = g.get("now")
    if moment is None:
        moment = g.now = utc_now()
    return moment


def today() -> date:
    """Return the shop's day of this request."""
    return day_of(now(), settings().shop_timezone)
