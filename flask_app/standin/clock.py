"""What time the stand-in says it is: its own clock, because it imports nothing of the program beside it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present instant, aware, in whole seconds: Dataverse shows no fractions."""
    return datetime.now(UTC).replace(microsecond=0)


def as_text(instant: datetime) -> str:
    """Write an instant as the Web API does: 2026-01-01T00:00:00Z."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime | None:
    """Read an ISO instant or day; None when it is not one. A text without a zone is UTC."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
