"""What the one application user may do. May be changed while the stand-in runs."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from .schema import TABLE, Row
from .wire import ApiError

# Fixed, so that an application's own record of who it is stays the same from one start to the next.
_SPACE = uuid.UUID("5a7c1f2e-94d0-4a37-8f0e-2d6b1c9e4f10")
USER_ID = str(uuid.uuid5(_SPACE, "user"))
OFFICE_USER_ID = str(uuid.uuid5(_SPACE, "office user"))  # somebody of the office, who changes rows by hand
BUSINESS_UNIT_ID = str(uuid.uuid5(_SPACE, "business unit"))
ORGANIZATION_ID = str(uuid.uuid5(_SPACE, "organization"))


@dataclass
class Access:
    """`member` of the organization; may `read` and `write` jobs, read the `metadata`, and `customize`, which
    registering webhooks is.

    `depth` is how far the rights reach: Basic (own rows), Local, Deep or Global (all); it is only told, never
    applied. `audience` is what the tokens are for, "" for this stand-in. `secured` are the columns with
    column security that the user has no access to: they read as null.
    """

    member: bool = True
    read: bool = True
    write: bool = True
    metadata: bool = True
    customize: bool = True
    depth: str = "Global"
    audience: str = ""
    secured: frozenset[str] = field(default_factory=frozenset)

    def check(self, privilege: str, *, allowed: bool, about: str = TABLE) -> None:
        """Raise the 403 for a user that is no member, or lacks the privilege (prvRead, prvWrite)."""
        if not self.member:
            raise ApiError(403, "0x80072560", "The user is not a member of the organization.")
        if not allowed:
            raise _missing(privilege + about)

    def check_registration(self, method: str) -> None:
        """Raise the 403 for who may not do this with service endpoints and steps."""
        verb = {"GET": "Read", "POST": "Create", "PATCH": "Write"}.get(method, "Delete")
        self.check(f"prv{verb}", allowed=self.customize or method == "GET", about="ServiceEndpoint")

    def granted(self, privilege: str) -> list[Row]:
        """Return the role privileges that give the user this one."""
        has = {f"prvRead{TABLE}": self.read, f"prvWrite{TABLE}": self.write}
        if not has.get(privilege, False):
            return []
        number, unit = str(uuid.uuid5(_SPACE, privilege)), BUSINESS_UNIT_ID
        return [
            {"Depth": self.depth, "PrivilegeId": number, "BusinessUnitId": unit, "PrivilegeName": privilege}
        ]

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
