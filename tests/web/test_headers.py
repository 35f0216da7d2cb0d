"""What every answer carries: security headers, how long it may be kept, what its cookies allow."""

import re

import pytest
from sqlalchemy import select

from flask_app.models import LoginAttempt, db
from tests.conftest import PASSWORD

PAGES = ("/", "/register", "/dashboard", "/my/hours", "/nowhere", "/healthz", "/logout")
LOGIN = {"email": "ana@shop.example", "password": PASSWORD}


@pytest.mark.parametrize("page", PAGES)
def test_every_answer_carries_the_security_headers(log_in, cast, page):
    headers = log_in("ana").get(page).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("page", ["/", "/register", "/dashboard", "/my/hours", "/nowhere"])
def test_no_page_has_anything_inline_that_the_policy_would_stop(log_in, cast, page):
    text = log_in("ana").get(page).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|<style|\son[a-z]+=|javascript:", text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)


@pytest.mark.parametrize("page", PAGES)
def test_no_page_stays_in_a_shared_computers_cache(log_in, cast, page):
    assert log_in("ana").get(page).headers["Cache-Control"] == "no-store"


def static_addresses(page: str) -> set[str]:
    return set(re.findall(r'"(/static/[^"]+)"', page))


def test_static_files_have_their_contents_hash_in_the_address_and_may_be_kept_for_a_year(app):
    browser = app.test_client()
    addresses = static_addresses(browser.get("/").text)
    assert len(addresses) >= 3
    for address in addresses:
        assert re.search(r"\?v=[0-9a-f]{12}$", address)
        with browser.get(address) as answer:
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["../config/config.py", "..%2f..%2fserver.py", "%2e%2e/__init__.py", "/etc/passwd"]
)
def test_no_other_file_is_served_as_static(app, path):
    answer = app.test_client().get(f"/static/{path}?v=1", follow_redirects=True)
    assert answer.status_code == 404


def test_a_missing_static_file_is_not_remembered(app):
    answer = app.test_client().get("/static/nothing.css?v=abc")
    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"


def cookie(answer) -> str:
    [session] = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("island_time=")]
    return session


def test_the_session_cookie_is_for_this_site_and_no_script(app, cast):
    set_cookie = cookie(app.test_client().post("/login", data=LOGIN))
    assert set_cookie.startswith("island_time=")
    assert "HttpOnly" in set_cookie
    assert "SameSite=Lax" in set_cookie
    assert "Secure" not in set_cookie


def test_over_https_the_cookie_is_secure_and_the_browser_told_to_stay_there(app, cast):
    answer = app.test_client().post("/login", data=LOGIN, base_url="https://localhost")
    assert "Secure" in cookie(answer)
    assert "max-age=" in answer.headers["Strict-Transport-Security"]


def test_over_http_the_browser_is_told_nothing_about_https(app):
    assert "Strict-Transport-Security" not in app.test_client().get("/").headers


PROXY = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "clock.example"}


def test_behind_a_trusted_proxy_https_is_what_the_proxy_says(make_app, cast):
    answer = make_app(trusted_proxies=1).test_client().post("/login", data=LOGIN, headers=PROXY)
    assert "Secure" in cookie(answer)


def test_without_a_trusted_proxy_nobody_is_believed(app, cast):
    assert "Secure" not in cookie(app.test_client().post("/login", data=LOGIN, headers=PROXY))


def test_an_address_that_is_made_up_before_the_proxy_is_not_the_one_that_counts(make_app, cast):
    app = make_app(trusted_proxies=1)
    headers = {"X-Forwarded-For": "10.9.9.9, 203.0.113.9"}
    app.test_client().post("/login", data={**LOGIN, "password": "x"}, headers=headers)
    with app.app_context():
        assert db.session.scalars(select(LoginAttempt.address)).all() == ["203.0.113.9"]
