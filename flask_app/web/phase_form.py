"""The form of the phase rules: which event leads to which phase of Dataverse."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_app.models import PhaseRule
from flask_app.models.job_phase import CLOSED, FIRST_PUNCH, SHARE
from flask_app.web.fields import Choice, Whole
from flask_app.web.forms import Form
from flask_app.words import _, lazy


class AnyPhase(Choice):
    """A phase, or none."""

    def read(self, text: str) -> int:
        if text not in self.choices:
            raise ValueError(_("Choose one of these phases."))
        return int(text)


class PhaseForm(Form):
    """One phase for each event; an event without one changes nothing. `phases`: value and label, in order."""

    first_punch = AnyPhase(lazy("First punch-in"), {})
    share = AnyPhase(lazy("Hours reach a share of the estimate"), {})
    percent = Whole(lazy("Share of the estimate (%)"), inputmode="numeric")
    closed = AnyPhase(lazy("Job closed in the shop"), {})

    def __init__(
        self, formdata: Any = None, *, phases: Sequence[tuple[int, str]], rules: Sequence[PhaseRule] = ()
    ) -> None:
        shown: dict[str, Any] = {rule.event: str(rule.phase) for rule in rules}
        shown["percent"] = next((rule.percent for rule in rules if rule.event == SHARE), 50)
        self.labels = dict(phases)
        self._places = [value for value, _label in phases]
        # The choices are set before the data is read: a phase that is no choice can't be read.
        choices = {str(value): label for value, label in phases}
        super().__init__(None, **shown)
        for field in (self.first_punch, self.share, self.closed):
            field.choices = choices
        if formdata is not None:
            self.process(formdata)  # type: ignore[no-untyped-call]  # WTForms has no types

    def broken_rules(self, values: Mapping[str, Any]) -> dict[str, str]:
        if not any(values.get(event) for event in (FIRST_PUNCH, SHARE, CLOSED)):
            return {"first_punch": _("Choose a phase for at least one event.")}
        if values.get("share") and not 1 <= (values.get("percent") or 0) <= 100:
            return {"percent": _("Enter a share from 1 to 100.")}
        return {}

    def rules(self) -> list[PhaseRule]:
        """Return the rules as they were chosen."""
        return [
            PhaseRule(
                event=event,
                phase=phase,
                label=self.labels[phase][:200],
                position=self._places.index(phase),
                percent=self.percent.data if event == SHARE else None,
            )
            for event in (FIRST_PUNCH, SHARE, CLOSED)
            if (phase := self[event].data)
        ]
