"""Island Time: a time clock for a shop, with jobs that come from Microsoft Dataverse."""

from datetime import timedelta

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_app import cli
from flask_app.config import Config
from flask_app.controllers import blueprints
from flask_app.controllers.webhook import bp as webhook
from flask_app.models import db
from flask_app.models.user import bcrypt
from flask_app.web import (
    compression,
    drafts,
    errors,
    headers,
    imports,
    language,
    measuring,
    presenting,
    proxy,
)
from flask_app.web.csrf import MaskedCSRF
from flask_app.web.sessions import SESSION_END, Sessions

__version__ = "0.1.0"


def create_app(config: Config) -> Flask:
    """Return the application. It creates no tables and starts no threads: see `db upgrade` and server.py."""
    app = Flask(__name__)
    app.extensions.update(settings=config, version=__version__)
    app.config.update(
        SECRET_KEY=config.secret_key,
        SESSION_COOKIE_NAME="island_time",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=SESSION_END,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=365),  # the address of a static file has its content's hash
        MAX_CONTENT_LENGTH=64 * 1024,
        BCRYPT_LOG_ROUNDS=config.bcrypt_rounds,
        TRUSTED_HOSTS=list(config.trusted_hosts) or None,
        WTF_CSRF_TIME_LIMIT=None,  # a phone keeps the page open all day
    )
    app.session_interface = Sessions()
    if config.trusted_proxies:
        hops = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    db.init_app(app, config.database_url, config.database_ca_bundle, config.database_tls)
    bcrypt.init_app(app)
    compression.init_app(app)
    language.init_app(app)
    imports.init_app(app)
    # A webhook comes from another program, with a key of its own: it has no session and no form.
    MaskedCSRF(app).exempt(webhook)
    for part in (measuring, drafts, errors, headers, presenting, proxy, cli):
        part.init_app(app)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    return app
