"""The identity provider's part: the discovery document, client credentials, the tokens issued.

Shapes after Microsoft Entra's v2.0 endpoints as MSAL reads them.
"""

import json
import secrets
import threading
import uuid
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs

from . import clock
from .wire import Request, Response

LIFETIME = 3599  # seconds; MSAL never keeps a token that says 300 or less
JSON = "application/json; charset=utf-8"


class TokenDesk:
    """Issues tokens to the one registered application and knows which of them still hold."""

    def __init__(self, base_url: str, tenant_id: str, client_id: str, client_secret: str) -> None:
        self.base_url = base_url
        self.tenant_id = tenant_id
        self.client_id = client_id
        self.audience = base_url  # what the tokens are for
        self._client_secret = client_secret
        self._lock = threading.Lock()
        self._valid: set[str] = set()

    def expire_all(self) -> None:
        """Let every token issued so far be refused from now on."""
        with self._lock:
            self._valid.clear()

    def accepts(self, authorization: str | None) -> bool:
        """Say whether an Authorization header carries a token that holds, and that is for us."""
        scheme, _, token = (authorization or "").partition(" ")
        with self._lock:
            mine = self.audience == self.base_url
            return mine and scheme.lower() == "bearer" and token.strip() in self._valid

    def answer(self, request: Request) -> Response | None:
        """Answer a request to the identity provider; None when the address is not one of its own."""
        tenant, _, rest = request.path.lstrip("/").partition("/")
        if (request.method, rest) == ("GET", "v2.0/.well-known/openid-configuration"):
            return self._discovery(tenant)
        if (request.method, rest) == ("POST", "oauth2/v2.0/token"):
            return self._token(tenant, request)
        return None

    def challenge(self) -> str:
        """Return the WWW-Authenticate header of a request without a token that holds."""
        where = f"{self.base_url}/{self.tenant_id}/oauth2/authorize"
        return f"Bearer authorization_uri={where}, resource_id={self.base_url}/"

    def _discovery(self, tenant: str) -> Response:
        if tenant != self.tenant_id:
            return self._unknown_tenant(tenant)
        root = f"{self.base_url}/{tenant}"
        document = {
            "token_endpoint": f"{root}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "jwks_uri": f"{root}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": f"{root}/v2.0",
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
        }
        return Response(200, document, content_type=JSON)

    def _token(self, tenant: str, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        if tenant != self.tenant_id:
            return self._unknown_tenant(tenant)
        refusal = self._refusal(form)
        if refusal is not None:
            return refusal
        token = self._token_text()
        with self._lock:
            self._valid.add(token)
        issued = {
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "ext_expires_in": LIFETIME,
            "access_token": token,
        }
        return Response(200, issued, content_type=JSON)

    def _token_text(self) -> str:
        """Return a fresh token: a JWT to look at, with a signature that is none."""
        claims = {"aud": self.audience, "tid": self.tenant_id, "appid": self.client_id, "ver": "1.0"}
        parts = ({"typ": "JWT", "alg": "RS256"}, claims)
        encoded = (urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        return ".".join([*encoded, secrets.token_urlsafe(32)])

    def _refusal(self, form: dict[str, str]) -> Response | None:
        client = form.get("client_id", "")
        if form.get("grant_type") != "client_credentials":
            return _refused(
                400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."
            )
        if client != self.client_id:
            text = (
                f"Application with identifier '{client}' was not found in the directory '{self.tenant_id}'."
            )
            return _refused(400, "unauthorized_client", 700016, text)
        if not secrets.compare_digest(form.get("client_secret", "").encode(), self._client_secret.encode()):
            text = f"Invalid client secret provided. Ensure the secret is not expired for the app '{client}'."
            return _refused(401, "invalid_client", 7000215, text)
        if form.get("scope") != f"{self.base_url}/.default":
            text = (
                f"The provided value for the input parameter 'scope' is not valid: {form.get('scope', '')}."
            )
            return _refused(400, "invalid_scope", 70011, text)
        return None

    def _unknown_tenant(self, tenant: str) -> Response:
        return _refused(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")


def _refused(status: int, error: str, number: int, text: str) -> Response:
    moment = clock.utc_now().strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    body: dict[str, Any] = {
        "error": error,
        "error_description": f"AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} "
        f"Timestamp: {moment}",
        "error_codes": [number],
        "timestamp": moment,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    return Response(status, body, content_type=JSON)
