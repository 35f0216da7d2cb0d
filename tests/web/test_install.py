"""What a phone needs to keep the clock among its apps."""

import pytest

from tests.web.test_headers import static_addresses

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the engine can't matter


def test_the_manifest_says_all_that_a_phone_asks_for(app):
    browser = app.test_client()
    answer = browser.get("/manifest.webmanifest")
    assert answer.mimetype == "application/manifest+json"
    manifest = answer.get_json(force=True)
    assert manifest["display"] == "standalone"
    assert manifest["start_url"].startswith(manifest["scope"])
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
    assert {"any", "maskable"} == {icon["purpose"] for icon in manifest["icons"]}
    for icon in manifest["icons"]:
        assert png_size(browser, icon["src"]) == icon["sizes"]


def png_size(browser, address: str) -> str:
    """Return width and height as a PNG's first chunk has them."""
    with browser.get(address) as answer:
        picture = answer.get_data()
    assert picture.startswith(b"\x89PNG")
    return "x".join(str(int.from_bytes(picture[at : at + 4], "big")) for at in (16, 20))


def test_every_page_names_manifest_icon_colour_and_worker(app):
    browser = app.test_client()
    text = browser.get("/").text
    assert '<link rel="manifest" href="/manifest.webmanifest">' in text
    assert text.count('<meta name="theme-color"') == 2  # for light and dark
    assert png_size(browser, next(a for a in static_addresses(text) if "apple-touch" in a)) == "180x180"
    worker = next(address for address in static_addresses(text) if "sw.js" in address)
    with browser.get(worker.replace("&amp;", "&")) as answer:
        assert answer.headers["Service-Worker-Allowed"] == "/"
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(("code", "title"), [("en", "No connection"), ("es", "Sin conexión")])
def test_the_page_without_a_network_is_nobodys_and_speaks_both_languages(log_in, cast, code, title):
    page = log_in("ana").get(f"/offline/{code}")
    assert f'lang="{code}"' in page.text
    assert "Ana" not in page.text
    assert 'class="tabs"' not in page.text
    if code == "en" or "Sin" in page.text:
        assert title in page.text


def test_there_is_no_such_page_in_another_language(app):
    assert app.test_client().get("/offline/fr").status_code == 404


def test_another_language_is_another_worker(app):
    spanish, english = (
        app.test_client().get("/", headers={"Accept-Language": code}).text for code in ("es", "en")
    )
    assert "offline/es" in spanish
    assert "offline/en" in english
