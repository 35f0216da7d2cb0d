"""A proxy that leaves out its headers is noticed by what an admin's browser says, and told."""

import pytest

from tests.conftest import PASSWORD

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HTTPS = {"Referer": "https://localhost/dashboard"}
GOOD = {**HTTPS, "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
NOT_TOLD, NO_PROTO = "but the program wasn&#39;t told", "doesn&#39;t send X-Forwarded-Proto"
NOT_TRUSTED, FEWER = "TRUSTED_PROXIES is 0", "fewer addresses in X-Forwarded-For"
ALL = (NOT_TOLD, NO_PROTO, NOT_TRUSTED, FEWER)


def browser_of(app, name):
    browser = app.test_client()
    assert (
        browser.post("/login", data={"email": f"{name}@shop.example", "password": PASSWORD}).status_code
        == 302
    )
    return browser


@pytest.mark.parametrize(
    ("hops", "headers", "told"),
    [
        (0, {}, []),
        (0, {"Referer": "http://localhost/"}, []),
        (0, {"Referer": "https://elsewhere.example/"}, []),
        (0, {"Referer": "https://[::1"}, []),
        (0, HTTPS, [NOT_TOLD]),
        (0, {"Origin": "https://localhost"}, [NOT_TOLD]),
        (0, {"Referer": "https://clock.example/", "Sec-Fetch-Site": "same-origin"}, [NOT_TOLD]),
        (0, GOOD, [NOT_TOLD, NOT_TRUSTED]),
        (1, GOOD, []),
        (1, {**HTTPS, "X-Forwarded-For": "203.0.113.7"}, [NO_PROTO]),
        (1, {**HTTPS, "X-Forwarded-Proto": "https"}, [FEWER]),
        (2, GOOD, [NO_PROTO, FEWER]),
    ],
)
def test_the_office_tells_which_of_the_proxys_headers_are_missing(make_app, cast, hops, headers, told):
    app = make_app(trusted_proxies=hops)
    page = browser_of(app, "grace").get("/office", headers=headers).text
    assert [sentence for sentence in ALL if sentence in page] == told


def test_machines_and_the_log_are_told_once_and_only_what_an_admins_browser_shows(app, cast, caplog):
    ana, grace = browser_of(app, "ana"), browser_of(app, "grace")
    ana.get("/dashboard", headers=GOOD)
    assert app.test_client().get("/readyz").json["warnings"] == []
    for _ in range(2):
        grace.get("/dashboard", headers={**HTTPS, "Accept-Language": "es"})
    [warning] = app.test_client().get("/readyz").json["warnings"]
    assert warning.startswith("This page came over https, but the program wasn't told")
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [warning]
    grace.get("/dashboard")
    assert app.test_client().get("/readyz").json["warnings"] == []
