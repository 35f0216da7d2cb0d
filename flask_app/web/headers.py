"""Security headers, and how long an answer may be kept."""

from flask import Flask, Response, request

_CSP = (
    "default-src 'self'; img-src 'self' data:; worker-src 'self'; manifest-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_EVERYWHERE = {"X-Content-Type-Options": "nosniff"}
# On style sheets, scripts and icons these say nothing, and would be a fifth of the first visit's bytes.
_ON_PAGES = {
    **_EVERYWHERE,
    "Cache-Control": "no-store",  # hours and names stay out of a shared computer's cache
    "Content-Security-Policy": _CSP,
    # Not "no-referrer": over https the CSRF check needs to see that a form came from this site.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# What Flask sends with a file; of one that is kept for good, ETag and Cache-Control say all.
_OF_NO_USE = ("Content-Disposition", "Expires", "Last-Modified", "Accept-Ranges")


def init_app(app: Flask) -> None:
    @app.after_request
    def add_headers(response: Response) -> Response:
        is_file = request.endpoint == "static" and response.status_code < 400
        response.headers.update(_EVERYWHERE if is_file else _ON_PAGES)
        if request.path == "/static/sw.js":
            response.headers["Content-Security-Policy"] = _CSP  # a worker has a policy of its own
            response.headers["Service-Worker-Allowed"] = "/"  # from /static/ it would see nothing else
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if is_file and "v" in request.args and response.status_code == 200:
            _keep_for_good(response)
        return response


def _keep_for_good(response: Response) -> None:
    """What has its content's hash in its address never changes."""
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    for name in _OF_NO_USE:
        response.headers.pop(name, None)
