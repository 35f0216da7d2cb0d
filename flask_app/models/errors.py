"""What a rule says when it is broken; each text is a sentence for the person who asked."""

from collections.abc import Mapping

from flask_app.words import Words


class RuleViolation(Exception):
    """What was asked breaks a rule. The text is a sentence for the person who asked."""


class ValidationError(RuleViolation):
    """A form that can't be taken: `problems` maps a field's name to a sentence about it."""

    def __init__(self, problems: Mapping[str, Words]) -> None:
        self.problems = {field: str(problem) for field, problem in problems.items()}
        super().__init__(" ".join(self.problems.values()))


class Busy(RuleViolation):
    """Somebody else held what was needed for longer than anybody should wait; nothing was changed."""


class ConcurrentUpdate(RuleViolation):
    """Another process was faster and the database's own guard said so: the work is run again."""
