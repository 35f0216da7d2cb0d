"""The set of fields that forms are made of: each reads a text, means a value and writes it again."""

from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any

import wtforms

from flask_app.models.types import natural_number, plain, visible
from flask_app.web import parse
from flask_app.words import Words, _

_OF_WTFORMS = {"name", "default", "_form", "_prefix", "_translations", "_meta"}


class Field(wtforms.Field):
    """One input. `missing` is what to say if it is empty ("": it may be); other arguments are its attributes.

    `data` is the value, `empty` if there is none or it can't be read; `text` is what the input shows.
    """

    kind = "text"
    empty: Any = None
    is_stored = True  # whether what the form edits has it, unlike a reason
    process_errors: Any

    def __init__(self, label: Words, *, missing: Words = "", hint: Words = "", **more: Any) -> None:
        ours = {name: more.pop(name) for name in _OF_WTFORMS & more.keys()}
        super().__init__(label, description=hint, **ours)
        self.errors: Any = []  # WTForms has an empty tuple here
        self._missing, self.attributes = missing, more

    @property
    def missing(self) -> str:
        return str(self._missing)

    @property
    def is_sent(self) -> bool:
        return bool(self.raw_data)

    @property
    def text(self) -> str:
        return str(self.raw_data[0]) if self.raw_data else self.write(self.data)

    def process_data(self, value: Any) -> None:
        self.data = self.empty if value is None else value

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        self.data = self.empty
        if text := self.clean(valuelist[0]):
            self.data = self.read(text)
        elif self.missing:
            raise ValueError(self.missing)

    def show(self, value: Any) -> None:
        """Show a value in place of what was typed."""
        self.raw_data = [self.write(value)]

    def clean(self, text: str) -> str:
        return visible(plain(text))

    def read(self, text: str) -> Any:
        """Return what a text means; or raise ValueError, a sentence."""
        return text

    def write(self, value: Any) -> str:
        """Return the text of a value, as the input shows it."""
        return "" if value is None else str(value)

    def words(self, value: Any) -> str:
        """Return a value as a sentence names it."""
        return self.words_of_text(self.write(value))

    def words_of_text(self, text: str) -> str:
        return text.strip() or _("nothing")


class Text(Field):
    """One line. Its value has no blanks around it and no characters that nobody sees.

    `limit` is how many characters it may have, where no rule of what it belongs to says so.
    """

    empty = ""

    def __init__(self, label: Words, *, limit: int | None = None, **more: Any) -> None:
        super().__init__(label, **more)
        self.limit = limit
        if limit:
            self.attributes["maxlength"] = limit

    def read(self, text: str) -> str:
        if self.limit and len(text) > self.limit:
            raise ValueError(_("This is too long: at most %(most)s characters.", most=self.limit))
        return text


class Reason(Text):
    """Why somebody changes hours. It stands in the audit, not in what is changed."""

    is_stored = False


class Lines(Text):
    """Some lines."""

    def clean(self, text: str) -> str:
        return plain(text, lines=True)


class Email(Text):
    kind = "email"


class Password(Text):
    """Never shown again, and taken as it is."""

    kind = "password"

    @property
    def text(self) -> str:
        return ""

    def clean(self, text: str) -> str:
        return text


class Choice(Field):
    """One of some codes, each with its words."""

    def __init__(
        self, label: Words, choices: Mapping[str, Words], *, read: Callable[[str], Any] = str, **more: Any
    ) -> None:
        super().__init__(label, **more)
        self.choices, self._read = choices, read

    def read(self, text: str) -> Any:
        if text not in self.choices:
            raise ValueError(self.missing)
        return self._read(text)

    def words_of_text(self, text: str) -> str:
        return str(self.choices.get(text) or "") or super().words_of_text(text)


class Tick(Field):
    """A box. An empty hidden input of its name stands before it: what is not ticked would not be sent."""

    empty = False

    @property
    def text(self) -> str:
        return self.write(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist:
            self.data = "on" in valuelist

    def show(self, value: Any) -> None:
        self.data = bool(value)

    def write(self, value: Any) -> str:
        return "on" if value else ""

    def words_of_text(self, text: str) -> str:
        return _("yes") if text else _("no")


class Day(Field):
    kind = "date"

    def read(self, text: str) -> date:
        return parse.shop_day(text)


class TimeOfDay(Field):
    kind = "time"

    def read(self, text: str) -> time:
        return parse.time_of_day(text)

    def write(self, value: Any) -> str:
        return f"{value:%H:%M}" if value else ""


class Whole(Field):
    """A whole number."""

    def read(self, text: str) -> int:
        number = natural_number(text)
        if number is None:
            raise ValueError(_("Enter a whole number such as 30."))
        return number


class Hours(Field):
    """A length of time in hours: 12.5 or 12:30."""

    def read(self, text: str) -> float:
        return parse.hours(text)

    def write(self, value: Any) -> str:
        return "" if value is None else f"{value:.2f}".removesuffix(".00")
