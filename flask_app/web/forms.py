"""The one door for input: forms as classes. Texts in, values out, every problem at once beside its field.

A form that can't be taken is drawn again with all that was typed. A form that edits something carries a
version of what it showed: what somebody else changed meanwhile is shown, never overwritten.
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import wtforms
from flask import g

from flask_app.models.errors import ValidationError
from flask_app.web.fields import Field
from flask_app.words import Words, _, lazy

NOT_SAVED = lazy("Not saved. Fix the fields in red.")


class Overtaken(ValidationError):
    """Somebody else changed the same thing after this form was drawn."""


class Form(wtforms.Form):
    """A form of one page. `says` stands above its fields, each field's problem beside it."""

    is_partial = False  # whether a field that was not sent is left alone

    def __init__(self, formdata: Any = None, thing: object = None, *, prefix: str = "", **shown: Any) -> None:
        self.says, self.code = "", 422  # of the answer if the form is drawn again
        self.only_looks = bool(formdata and formdata.get("find"))
        super().__init__(formdata, obj=thing, prefix=prefix, data=shown)

    def fields(self) -> Iterator[Field]:
        """Yield the fields that hold a value."""
        yield from (field for field in self if isinstance(field, Field))

    @property
    def values(self) -> dict[str, Any]:
        """What the fields mean that somebody has to answer for, those with a problem included."""
        return {field.short_name: field.data for field in self.fields() if self._counts(field)}

    @property
    def problems(self) -> dict[str, str]:
        return {field.short_name: field.errors[0] for field in self.fields() if field.errors}

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether the form can be taken; if not, it says why. A form that has to be drawn again can't."""
        super().validate(extra_validators)
        for field in self.fields():
            if not field.is_sent or not self._counts(field):
                is_missing = field.data == field.empty and self._counts(field)
                field.errors = [field.missing] if field.missing and is_missing else []
        readable = {name: value for name, value in self.values.items() if not self[name].errors}
        for name, problem in self.broken_rules(readable).items():
            self._mark(name, problem)
        self.says = str(g.get("draw_again") or (NOT_SAVED if self.problems else ""))
        if self.only_looks:
            self._forget_problems()
        return not (self.says or self.only_looks)

    def _forget_problems(self) -> None:
        """Somebody only looks for a job: nothing is wrong yet."""
        self.says, self.code = "", 200
        for field in self.fields():
            field.errors = []

    def broken_rules(self, values: Mapping[str, Any]) -> Mapping[str, Words]:
        """Return what is wrong with the values that could be read, by field: the entity's own rules."""
        return {}

    def refuse(self, invalid: ValidationError) -> None:
        """Take over what was found wrong when the form was about to be saved."""
        self.says = str(NOT_SAVED)
        for name, problem in invalid.problems.items():
            if not self._mark(name, problem):
                self.says = f"{self.says} {problem}"

    def _mark(self, name: str, problem: Words) -> bool:
        if name not in self:
            return False
        self[name].errors = self[name].errors or [str(problem)]
        return True

    def _counts(self, field: Field) -> bool:
        return field.is_sent or not self.is_partial


class EditForm(Form):
    """A form that changes something that is there. Scripts may send some of its fields, without a version."""

    is_partial = True
    seen = wtforms.HiddenField(name="version")  # not named so here: WTForms would fill it from thing.version

    @property
    def version(self) -> str:
        """What the page carries to tell later what it showed: one short hash for each field."""
        return self.seen.data or _version_of({f.short_name: f.write(f.object_data) for f in self.stored()})

    def stored(self) -> Iterator[Field]:
        """Yield the fields that the thing itself has, unlike a reason."""
        yield from (field for field in self.fields() if field.is_stored)

    def validate(self, extra_validators: Any = None) -> bool:
        taken = super().validate(extra_validators)
        if taken and not any(field.is_sent for field in self.fields()):
            self.says = _("Nothing to change in this form.")
        return taken and not self.says

    def changes(self, thing: object) -> dict[str, Any]:
        """Return the values that this form changes in `thing`, which has to be locked. Raises Overtaken."""
        changed, overtaken = {}, {}
        texts = {field.short_name: field.write(getattr(thing, field.short_name)) for field in self.stored()}
        for field in self.stored():
            name, present = field.short_name, _hash(texts[field.short_name])
            if not field.is_sent or _hash(field.text) == present:
                continue
            if self._drawn.get(name, present) == present:
                changed[name] = field.data
            else:
                overtaken[name] = self._overtaken(field, getattr(thing, name))
        if overtaken:
            self.seen.data = _version_of(texts)
            raise Overtaken(overtaken)
        return changed

    def refuse(self, invalid: ValidationError) -> None:
        super().refuse(invalid)
        if isinstance(invalid, Overtaken):
            self.says = _("Not saved: someone else changed this meanwhile. Check it, then save.")
            self.code = 409

    def _overtaken(self, field: Field, present: Any) -> str:
        if self._is_touched(field):
            return _(
                "Someone else changed this to “%(present)s”. Save again to use yours.",
                present=field.words(present),
            )
        before = field.words_of_text(field.text)
        field.show(present)
        return _("Someone else changed this. It was “%(before)s”.", before=before)

    def _counts(self, field: Field) -> bool:
        return field.is_sent and self._is_touched(field)

    def _is_touched(self, field: Field) -> bool:
        """Whether the text is another than the page showed: only then somebody has to answer for it."""
        if not field.is_stored:
            return True
        drawn = self._drawn.get(field.short_name) or _hash(field.write(field.object_data))
        return drawn != _hash(field.text)

    @property
    def _drawn(self) -> dict[str, str]:
        pairs = (part.partition(".") for part in (self.seen.data or "")[:2000].split())
        return {name: text_hash for name, _, text_hash in pairs}


def _version_of(shown: Mapping[str, str]) -> str:
    return " ".join(f"{name}.{_hash(text)}" for name, text in shown.items())


def _hash(text: str) -> str:
    """A browser sends line ends of its own, and none from a field of one line; blanks around don't count."""
    as_sent = re.sub(r"[\r\n]+", "", text).strip()
    return sha256(as_sent.encode("utf-8", "replace")).hexdigest()[:8]
