"""Which commit is running: told by whoever built the image, or by git where there is a checkout."""

import os
import re
from functools import cache
from pathlib import Path

from flask_app.models.database import PROJECT


@cache
def commit() -> str | None:
    """Return the commit's id, None if nobody knows it."""
    return os.environ.get("GIT_COMMIT") or _of_checkout(PROJECT / ".git")


def _of_checkout(folder: Path) -> str | None:
    """Read it as git keeps it: git itself may not be installed."""
    try:
        head = (folder / "HEAD").read_text().strip()
        name = head.removeprefix("ref: ")
        if name == head:
            return head
        loose = folder / name
        if loose.is_file():
            return loose.read_text().strip()
        found = re.search(
            rf"^([0-9a-f]{{40}}) {re.escape(name)}$", (folder / "packed-refs").read_text(), re.M
        )
    except OSError:
        return None
    return found[1] if found else None
