"""A caller of the stand-in for its own tests: plain requests with a token from its token endpoint."""

from types import TracebackType
from typing import Any, Self

import requests

from flask_app.standin import Standin

TIMEOUT = 120  # seconds; nothing on loopback takes that long


class Caller:
    """Sends requests to one stand-in, with a bearer token."""

    def __init__(self, standin: Standin) -> None:
        self.standin = standin
        self.root = f"{standin.base_url}/api/data/v9.2"
        self.session = requests.Session()
        self.session.trust_env = False  # REQUESTS_CA_BUNDLE in the environment would win over verify
        self.session.verify = standin.ca_bundle
        self.headers = {"Authorization": f"Bearer {self.token()}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()

    def ask_for_token(self, **form: str) -> requests.Response:
        """Post the client credentials, some of them replaced by `form`."""
        fields = {
            "grant_type": "client_credentials",
            "client_id": self.standin.client_id,
            "client_secret": self.standin.client_secret,
            "scope": f"{self.standin.base_url}/.default",
        }
        url = f"{self.standin.authority}/{self.standin.tenant_id}/oauth2/v2.0/token"
        return self.session.post(url, data={**fields, **form}, timeout=TIMEOUT)

    def token(self) -> str:
        """Return a fresh token."""
        return str(self.ask_for_token().json()["access_token"])

    def send(self, method: str, path: str, prefer: str = "", **options: Any) -> requests.Response:
        """Send a request to an absolute URL or to a path under the API's root."""
        url = path if path.startswith("https:") else f"{self.root}/{path}"
        headers = {**self.headers, **({"Prefer": prefer} if prefer else {}), **options.pop("headers", {})}
        return self.session.request(method, url, headers=headers, timeout=TIMEOUT, **options)

    def get(self, path: str, prefer: str = "", **options: Any) -> requests.Response:
        """GET a path."""
        return self.send("GET", path, prefer, **options)

    def rows(self, path: str) -> list[dict[str, Any]]:
        """Return the rows on the one page of a list that must succeed."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["value"])

    def pages(self, path: str, size: int) -> list[list[dict[str, Any]]]:
        """Follow the next links to the end."""
        found = []
        link: str | None = path
        while link:
            body = self.get(link, f"odata.maxpagesize={size}").json()
            found.append(body["value"])
            link = body.get("@odata.nextLink")
        return found
