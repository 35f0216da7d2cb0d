"""Years of an old shop with all its dirt move in: nothing is lost, and what can be known is exact."""

from zoneinfo import ZoneInfo

import pytest

from flask_app.models.database import make_engine
from tests.adopt.old_shop import OldShop
from tests.adopt.old_years import OldYears
from tests.conftest import fresh_database
from tests.proof.moving_in import report_of, second_run, wrong_instants, wrong_rows

ODD = {"wide": True, "null_starts": True, "server": ZoneInfo("UTC"), "seed": 11}


@pytest.fixture
def database_url(request):
    return fresh_database(request, "mariadb")  # which engine it moves into makes no difference here


@pytest.mark.parametrize(("later_version", "how"), [(True, {}), (False, ODD)], ids=["usual", "odd"])
def test_every_row_is_accounted_for_and_what_is_not_marked_is_exact(
    app, new_mariadb, tmp_path, later_version, how
):
    url, years = new_mariadb(), OldYears(people=20, jobs=200, shifts=600, **how)
    engine = make_engine(url)
    years.fill(OldShop(engine, later_version=later_version))
    engine.dispose()

    def adopt(folder):
        options = ["--from", url, "--report", str(folder), "--stored-zone", years.server.key]
        return app.test_cli_runner().invoke(args=["adopt", *options]).output

    first = adopt(tmp_path / "first")
    rows = report_of(tmp_path / "first")
    assert f"Every row is accounted for: {220 + len(years.truth):,}." in first
    assert wrong_rows(rows, years) == []
    assert wrong_instants(app.extensions["engine"], rows, years.truth) == []
    again = adopt(tmp_path / "second")
    assert second_run(report_of(tmp_path / "second"), again) == []
