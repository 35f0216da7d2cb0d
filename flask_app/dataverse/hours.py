"""The column imi_actualhours: what kind of number it takes, what stands in it, and writing to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from flask_app.dataverse.batch import MOST_PARTS
from flask_app.dataverse.client import CallStatistics, DataverseClient, Row
from flask_app.dataverse.contract import ENTITY_SET, TABLE
from flask_app.dataverse.errors import (
    DataverseClientError,
    DataverseConflict,
    DataverseProtocolError,
    DataverseRefused,
)
from flask_app.dataverse.table import ID, types_of
from flask_app.words import noted

HOURS = "imi_actualhours"
IDS_AT_ONCE = 200  # in one filter: some 8 KB, of the 32 KB that an address may have
_KINDS = {"DecimalType": "Decimal", "DoubleType": "Double"}
# AttributeMetadata.SourceType (learn.microsoft.com, dn818010): null or 0 simple, 1 calculated, 2 rollup. What
# came later is computed, too (3: Power Fx formula).
_COMPUTED = {1: "calculated", 2: "rollup"}
_USUAL_PRECISION = 2  # DecimalAttributeMetadata.Precision: what it is if it is not given

Refusals = dict[str, DataverseClientError | None]


@dataclass(frozen=True, slots=True)
class HoursColumn:
    """How a number of hours has to look so that the column takes it."""

    precision: int  # decimals
    least: float | None = None
    most: float | None = None

    def value(self, minutes: int) -> float:
        """Return minutes as hours, rounded half up to the decimals that the column keeps."""
        step = Decimal(1).scaleb(-self.precision)
        return float((Decimal(minutes) / 60).quantize(step, ROUND_HALF_UP))

    def same(self, present: object, minutes: int) -> bool:
        """Whether these minutes are what stands there already; no hours at all may stand there as nothing."""
        if isinstance(present, bool) or not isinstance(present, int | float):
            return present is None and minutes == 0
        return bool(abs(present - self.value(minutes)) < 0.5 * 10**-self.precision)

    def refuses(self, minutes: int) -> str:
        """Return why the column can't take this number, "" if it can."""
        value = self.value(minutes)
        if self.most is not None and value > self.most:
            return noted(
                "The column %(hours)s takes %(most)s hours at most.", hours=HOURS, most=f"{self.most:,g}"
            )
        return (
            noted("The column %(hours)s takes no number as small as this.", hours=HOURS)
            if value < (self.least or 0)
            else ""
        )


class HoursTable:
    """Reads and writes the hours of the rows of imi_jobs. Every method raises DataverseClientError."""

    def __init__(self, client: DataverseClient) -> None:
        self._client = client
        self._column: HoursColumn | None = None
        self._has_update_many = True

    def organization(self, statistics: CallStatistics | None = None) -> str:
        """Return the id of the organization that is written to."""
        return self.who_am_i(statistics)[0]

    def who_am_i(self, statistics: CallStatistics | None = None) -> tuple[str, str]:
        """Return the ids of the organization and of the user that we are there."""
        found = self._client.who_am_i(statistics=statistics)
        organization, user = found.get("OrganizationId"), found.get("UserId")
        if not isinstance(organization, str) or not isinstance(user, str) or not organization:
            raise DataverseProtocolError(noted("Dataverse does not say which organization it is."))
        return organization.lower(), user.lower()

    def column(self, statistics: CallStatistics | None = None) -> HoursColumn:
        """Return what the column takes, read from the metadata once; DataverseRefused if that isn't known.

        A type that is not understood, a calculated or a read-only column is never written to.
        """
        if self._column is None:
            self._column = self._look(statistics)
        return self._column

    def present(self, ids: Sequence[str], statistics: CallStatistics | None = None) -> dict[str, Any]:
        """Map the rows that there are to what stands in their column; at most IDS_AT_ONCE ids."""
        wanted = ",".join(f"'{UUID(row_id)}'" for row_id in ids)
        rows = self._client.rows(
            ENTITY_SET,
            select=[ID, HOURS],
            filter_clause=f"Microsoft.Dynamics.CRM.In(PropertyName='{ID}',PropertyValues=[{wanted}])",
            orderby=[ID],
            statistics=statistics,
        )
        return {str(row.get(ID)).lower(): row.get(HOURS) for row in rows}

    def everything(self, statistics: CallStatistics | None = None) -> Iterator[tuple[str, Any]]:
        """Yield id and hours of every row."""
        for row in self._client.rows(ENTITY_SET, select=[ID, HOURS], orderby=[ID], statistics=statistics):
            yield str(row.get(ID)).lower(), row.get(HOURS)

    def write(self, hours: Mapping[str, float], statistics: CallStatistics | None = None) -> Refusals:
        """Write the hours of these rows, this column alone; return the error of each id (None: written).

        Many at once where the table can; a row that is refused never keeps the others from being written. A
        failure that concerns all of them (no answer, throttling) raises, and nothing is known of any.
        """
        if len(hours) > 1 and self._has_update_many:
            try:
                rows: list[Row] = [{ID: row_id, HOURS: value} for row_id, value in hours.items()]
                self._client.update_many(ENTITY_SET, TABLE, rows, statistics=statistics)
            except (DataverseRefused, DataverseProtocolError, DataverseConflict) as refusal:
                self._has_update_many = not _lacks_action(refusal)
            else:
                return dict.fromkeys(hours)
        return self._write_each(hours, statistics)

    def _write_each(self, hours: Mapping[str, float], statistics: CallStatistics | None) -> Refusals:
        ids, outcome = list(hours), Refusals()
        for first in range(0, len(ids), MOST_PARTS):
            some = {row_id: {HOURS: hours[row_id]} for row_id in ids[first : first + MOST_PARTS]}
            outcome |= self._client.update_each(ENTITY_SET, some, statistics=statistics)
        return outcome

    def _look(self, statistics: CallStatistics | None) -> HoursColumn:
        kind = types_of(self._client.columns(TABLE, statistics=statistics)).get(HOURS)
        if kind is None:
            raise DataverseRefused(
                noted(
                    "Dataverse's table %(table)s has no column %(hours)s that we may read.",
                    table=TABLE,
                    hours=HOURS,
                )
            )
        if kind not in _KINDS:
            raise DataverseRefused(
                noted(
                    "The column %(hours)s is a %(kind)s. Hours go to decimal or floating-point columns only.",
                    hours=HOURS,
                    kind=kind,
                )
            )
        definition = self._client.number_column(TABLE, HOURS, _KINDS[kind], statistics=statistics)
        source = definition.get("SourceType")
        if source not in (None, 0):  # others than those that are known, too
            raise DataverseRefused(
                noted(
                    "The column %(hours)s is a %(source)s column, which can't be written to.",
                    hours=HOURS,
                    source=_COMPUTED.get(source, "computed") if isinstance(source, int) else "computed",
                )
            )
        if definition.get("IsValidForUpdate") is not True:
            raise DataverseRefused(
                noted(
                    "The column %(hours)s can't be written to: Dataverse says it is read-only.", hours=HOURS
                )
            )
        precision = definition.get("Precision")
        return HoursColumn(
            precision if type(precision) is int and 0 <= precision <= 10 else _USUAL_PRECISION,
            number_of(definition.get("MinValue")),
            number_of(definition.get("MaxValue")),
        )


def _lacks_action(refusal: DataverseClientError) -> bool:
    """Whether a refusal says that the table knows no UpdateMultiple, and not something about a row."""
    return refusal.status in (404, 405, 501) and refusal.code in ("0x8006088a", "")


def number_of(value: object) -> float | None:
    """Return a number of hours as Dataverse told it; None for anything that is no number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
