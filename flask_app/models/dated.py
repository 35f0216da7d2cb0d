"""A value that holds from a day on, until the next one does."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from typing import Generic, TypeVar

T = TypeVar("T")


class Dated(Generic[T]):
    """`first` holds before the first change; `changes` are (from which day on, value) in any order."""

    def __init__(self, first: T, changes: Iterable[tuple[date, T]] = ()) -> None:
        ordered = sorted(changes, key=lambda change: change[0])
        self.days = [day for day, _ in ordered]
        self.values = [first, *(value for _, value in ordered)]

    def on(self, day: date) -> T:
        """Return what held on that day."""
        return self.values[bisect_right(self.days, day)]
