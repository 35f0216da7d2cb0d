"""What the one application user may do. May be changed while the stand-in runs."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from .schema import TABLE, Row
from .wire import ApiError

# Fixed, so that an application's own record of who it is stays the same from one start to the next.
_SPACE = uuid.UUID("5a7c1f2e-94d0-4a37-8f0e-2d6b1c9e4f10")
USER_ID = str(uuid.uuid5(_SPACE, "user"))
BUSINESS_UNIT_ID = str(uuid.uuid5(_SPACE, "business unit"))
ORGANIZATION_ID = str(uuid.uuid5(_SPACE, "organization"))


@dataclass
class Access:
    """`member` of the organization; may `read` and `write` jobs and read the `metadata`.

    `secured` are the columns with column security that the user has no access to: they read as null.
    """

    member: bool = True
    read: bool = True
    write: bool = True
    metadata: bool = True
    secured: frozenset[str] = field(default_factory=frozenset)

    def check(self, privilege: str, *, allowed: bool, about: str = TABLE) -> None:
        """Raise the 403 for a user that is no member, or lacks the privilege (prvRead, prvWrite)."""
        if not self.member:
            raise ApiError(403, "0x80072560", "The user is not a member of the organization.")
        if not allowed:
            raise _missing(privilege + about)

    def visible(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows as this user sees them."""
        if not self.secured:
            return list(rows)
        hidden = dict.fromkeys(self.secured)
        return [{**row, **hidden} for row in rows]


def _missing(privilege: str) -> ApiError:
    number = uuid.uuid5(_SPACE, privilege)
    message = (
        f"Principal user (Id={USER_ID}, type=8) is missing {privilege} privilege (Id={number}) "
        f"on OTC=10042 for entity '{TABLE}' (LocalizedName='Job'). context.Caller={USER_ID}"
    )
    return ApiError(403, "0x80040220", message)
