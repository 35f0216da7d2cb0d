"""The column imi_productionphase: its choices in their order, what stands in it, and changing one row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask_app.dataverse.client import CallStatistics, DataverseClient, Row
from flask_app.dataverse.contract import ENTITY_SET, TABLE
from flask_app.dataverse.errors import DataverseRefused
from flask_app.dataverse.table import ID, types_of
from flask_app.words import noted

PHASE = "imi_productionphase"
IDS_AT_ONCE = 200  # in one filter, as with the hours


@dataclass(frozen=True, slots=True)
class Phase:
    """One choice: its value, and its label in the language that Dataverse shows to the application user."""

    value: int
    label: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How one row stands: its phase (None: empty), and the version of the row that says so."""

    phase: int | None
    etag: str


class PhaseTable:
    """Reads and writes the phase of the rows of imi_jobs. Every method raises DataverseClientError."""

    def __init__(self, client: DataverseClient) -> None:
        self._client = client

    def organization(self, statistics: CallStatistics | None = None) -> str:
        """Return the id of the organization that is written to."""
        return str(self._client.who_am_i(statistics=statistics).get("OrganizationId")).lower()

    def choices(self, statistics: CallStatistics | None = None) -> list[Phase]:
        """Return the phases in the order of the column's options; DataverseRefused if it has none we know."""
        kind = types_of(self._client.columns(TABLE, statistics=statistics)).get(PHASE)
        if kind != "PicklistType":
            if kind:
                raise DataverseRefused(
                    noted(
                        "The column %(phase)s is a %(kind)s, not a choice: no phase can be written.",
                        phase=PHASE,
                        kind=kind,
                    )
                )
            raise DataverseRefused(
                noted("The column %(phase)s is not there, so no phase can be written.", phase=PHASE)
            )
        options = self._client.options(TABLE, PHASE, statistics=statistics)
        return [Phase(value, _label(one)) for one in options if type(value := one.get("Value")) is int]

    def standing(self, ids: Sequence[str], statistics: CallStatistics | None = None) -> dict[str, Standing]:
        """Map the rows that there are to how they stand; at most IDS_AT_ONCE ids."""
        wanted = ",".join(f"'{UUID(row_id)}'" for row_id in ids)
        rule = f"Microsoft.Dynamics.CRM.In(PropertyName='{ID}',PropertyValues=[{wanted}])"
        return dict(self._rows(rule, statistics))

    def everything(self, statistics: CallStatistics | None = None) -> dict[str, Standing]:
        """Map every row to how it stands."""
        return dict(self._rows(None, statistics))

    def write(self, row_id: str, phase: int, etag: str, statistics: CallStatistics | None = None) -> None:
        """Change one row, which must still be at that version; DataverseConflict if it is not."""
        self._client.update(ENTITY_SET, row_id, {PHASE: phase}, etag=etag, statistics=statistics)

    def _rows(self, rule: str | None, statistics: CallStatistics | None) -> Iterator[tuple[str, Standing]]:
        rows = self._client.rows(
            ENTITY_SET, select=[ID, PHASE], filter_clause=rule, orderby=[ID], statistics=statistics
        )
        for row in rows:
            etag = row.get("@odata.etag")
            if isinstance(etag, str) and etag:  # without it, nothing would guard a change of the row
                yield str(row.get(ID)).lower(), Standing(_phase(row.get(PHASE)), etag)


def _phase(value: Any) -> int | None:
    return value if type(value) is int else None


def _label(option: Row) -> str:
    """Return an option's label: the user's own language's, else any."""
    label = option.get("Label")
    label = label if isinstance(label, dict) else {}
    others = label.get("LocalizedLabels")
    for one in (label.get("UserLocalizedLabel"), *(others if isinstance(others, list) else ())):
        if isinstance(one, dict) and isinstance(one.get("Label"), str) and one["Label"]:
            return str(one["Label"])
    return str(option.get("Value"))
