"""A small share of `python -m tests.proof.fuzz` in every run of the tests: the same requests each time."""

import pytest

from tests.proof.fuzz import PEOPLE, Fuzz
from tests.proof.shop import make_shop


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_nothing_that_is_sent_to_any_address_is_answered_with_a_fault(kind, request, tmp_path):
    is_file = kind == "sqlite"
    url = f"sqlite:///{tmp_path}/shop.db" if is_file else request.getfixturevalue("new_mariadb")()
    app = make_shop(url, people=PEOPLE, jobs=10, shifts=60)
    fuzz = Fuzz(app, seed=650)

    findings = fuzz.run(3 * fuzz.addresses)

    app.extensions["engine"].dispose()
    assert findings.faults == {}
    assert sum(findings.statuses.values()) == 3 * fuzz.addresses > 300
