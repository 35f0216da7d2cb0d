"""What a phone needs to keep the clock among its apps: the manifest, and the page without a network."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, abort, current_app, g, jsonify, render_template, url_for
from flask.typing import ResponseReturnValue

from flask_app.web.presenting import static_url
from flask_app.words import CATALOGS, LANGUAGES, language, speak

bp = Blueprint("install", __name__)

_ICONS = (  # file, size, purpose: a phone cuts a "maskable" one to its own shape
    ("icons/icon-192.png", "192x192", "any"),
    ("icons/icon-512.png", "512x512", "any"),
    ("icons/icon-maskable-512.png", "512x512", "maskable"),
)


@bp.get("/manifest.webmanifest")
def manifest() -> ResponseReturnValue:
    """What the app is called and looks like: https://www.w3.org/TR/appmanifest/"""
    answer = jsonify(
        id="/",
        name="Island Time",
        short_name="Island Time",
        start_url=url_for("jobs.dashboard"),
        scope="/",
        display="standalone",
        # There is one colour for both schemes here; the pages say it for each.
        theme_color="#35271d",
        background_color="#f3ece0",
        icons=[
            {"src": static_url(file), "sizes": size, "type": "image/png", "purpose": purpose}
            for file, size, purpose in _ICONS
        ],
    )
    answer.mimetype = "application/manifest+json"
    return answer


@bp.get("/offline/<code>")
def offline(code: str) -> ResponseReturnValue:
    """The page that the service worker shows when the network is gone. It is nobody's: no name, no hours."""
    if code not in LANGUAGES:
        abort(404)
    g.me = g.my_shift = None
    speak(code)
    return render_template("offline.html")


@bp.app_template_global()
def worker_url() -> str:
    """The address of the service worker; another one when it, its page or the page's language is another."""
    page = url_for("install.offline", code=language(), v=_version())
    return f"{static_url('sw.js')}&page={page}"


@cache
def _version() -> str:
    """Of all that the page without a network is made of."""
    folder = Path(current_app.root_path)
    parts = [folder / "static/app.css", folder / "templates/offline.html", folder / "templates/base.html"]
    parts += sorted(CATALOGS.rglob("*.po"))
    return sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()[:12]
