"""What instant a stored time of the old program means: its clock changed by date, so the rules are data."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

STANDARD = Path(__file__).with_name("clocks.toml")
CLOCKS = ("server", "shop", "UTC")
# Marks: why an instant is not certain.
TWICE = "twice"  # clocks showed this time twice that night
SKIPPED = "skipped"  # clocks never showed it
UNSURE = "unsure"  # two clocks could have written it
AUTOMATIC = "automatic"  # the old auto clock-out wrote it
_ALWAYS = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


class ClocksError(Exception):
    """The file of clocks can't be used; the text says why."""


@dataclass(frozen=True, slots=True)
class StartRule:
    """From `since` on and before `until` (instants) starts were read off `clock`, see clocks.toml."""

    since: datetime
    until: datetime
    clock: str
    whole_minutes: bool = False
    with_seconds: str = ""

    def clock_of(self, stored: datetime) -> str:
        """Return the clock that wrote `stored` if this rule was in force, "" if it can't have been."""
        if self.whole_minutes and stored.second:
            return self.with_seconds
        return self.clock


@dataclass(frozen=True, slots=True)
class Instant:
    """An instant, and the marks that say why it is not certain (none: it is)."""

    at: datetime
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WallClocks:
    """The rules of one shop. `zones` maps each of CLOCKS to a zone."""

    starts: tuple[StartRule, ...]
    end_clock: str
    automatic: time | None
    zones: Mapping[str, tzinfo]

    @classmethod
    def read(cls, path: Path, *, server: tzinfo, shop: tzinfo) -> Self:
        """Return the rules of a file like clocks.toml. Raises ClocksError."""
        try:
            content = tomllib.loads(path.read_text())
            starts = tuple(_start_rules(content["start"]))
            end = content["end"]
            automatic = time.fromisoformat(end["automatic"]) if end.get("automatic") else None
            clocks = {
                end["clock"],
                *(rule.clock for rule in starts),
                *(r.with_seconds or "UTC" for r in starts),
            }
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
            raise ClocksError(f"{path.name} can't be read: {error}") from None
        if unknown := clocks - set(CLOCKS):
            raise ClocksError(f"{path.name} names a clock {unknown.pop()!r}; there are {', '.join(CLOCKS)}.")
        return cls(starts, end["clock"], automatic, {"server": server, "shop": shop, "UTC": UTC})

    def server_time(self, stored: datetime | None) -> datetime | None:
        """Return the instant of a time that the database's host wrote, the first if there are two."""
        return self._read(stored, "server")[0].at if stored else None

    def start(self, stored: datetime, *, stored_end: datetime | None) -> Instant:
        """Return when a shift began. Where two clocks could have written it, the end decides if it can."""
        found = [one for rule in self.starts for one in self._in_force(rule, stored)]
        if not found:  # between two rules: the nearest one
            nearest = min(self.starts, key=lambda rule: self._distance(rule, stored))
            return Instant(self._read(stored, nearest.clock)[0].at, (UNSURE,))
        clocks = len({one.at for one in found if TWICE not in one.marks}) or 1
        best = min(found, key=lambda one: self._implausibility(one.at, stored_end))
        return Instant(best.at, (*best.marks, UNSURE)) if clocks > 1 else best

    def end(self, stored: datetime, *, start: datetime | None) -> Instant:
        """Return when a shift ended; of an hour that came twice the first that is not before the start."""
        if start is not None and self._is_automatic(stored, start):
            return Instant(self._read(stored, "shop")[0].at, (AUTOMATIC,))
        found = self._read(stored, self.end_clock)
        return next((one for one in found if start is None or one.at >= start), found[-1])

    def _is_automatic(self, stored: datetime, start: datetime) -> bool:
        day = start.astimezone(self.zones["shop"]).date()
        return (
            self.automatic is not None
            and day.weekday() < 5
            and stored == datetime.combine(day, self.automatic)
        )

    def _in_force(self, rule: StartRule, stored: datetime) -> Iterator[Instant]:
        if clock := rule.clock_of(stored):
            yield from (one for one in self._read(stored, clock) if rule.since <= one.at < rule.until)

    def _distance(self, rule: StartRule, stored: datetime) -> timedelta:
        at = self._read(stored, rule.clock)[0].at
        return max(rule.since - at, at - rule.until, timedelta(0)) if rule.since <= at else rule.since - at

    def _implausibility(self, at: datetime, stored_end: datetime | None) -> tuple[bool, timedelta]:
        """Sort key: a shift that doesn't end before it began, and then the shorter one."""
        if stored_end is None:
            return (False, timedelta(0))
        length = self.end(stored_end, start=at).at - at
        return (length < timedelta(0), abs(length))

    def _read(self, stored: datetime, clock: str) -> list[Instant]:
        """Return the one or two instants at which that clock showed `stored`, the earlier first."""
        zone = self.zones[clock]
        both = sorted({stored.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)})
        shown = [at for at in both if at.astimezone(zone).replace(tzinfo=None) == stored]
        if not shown:
            return [Instant(both[-1], (SKIPPED,))]
        return [Instant(at, (TWICE,) if len(shown) > 1 else ()) for at in shown]


def _start_rules(tables: list[dict[str, Any]]) -> Iterator[StartRule]:
    since = _ALWAYS
    for number, table in enumerate(tables, start=1):
        until = table.get("until", _NEVER)
        if until.tzinfo is None or until <= since or (until == _NEVER) != (number == len(tables)):
            raise ValueError("each start rule but the last needs an `until` with its zone, in order")
        yield StartRule(
            since,
            until,
            table["clock"],
            bool(table.get("whole_minutes", False)),
            table.get("with_seconds", ""),
        )
        since = until
