"""A client that goes the way to Dataverse step by step, and what each step finds."""

from collections.abc import Callable
from dataclasses import dataclass

import requests

from flask_app.config import DataverseSettings
from flask_app.dataverse.answers import Answer, error_for
from flask_app.dataverse.client import DataverseClient, Row
from flask_app.dataverse.errors import DataverseClientError, DataverseUnavailable
from flask_app.dataverse.rows import is_guid
from flask_app.dataverse.tokens import sign_in_error
from flask_app.dataverse.transport import origin_of
from flask_app.words import noted

OK, WARNING, FAILED = "ok", "warning", "failed"

_NO_ANSWER = {
    "Connection": noted("Check DATAVERSE_BASE_URL, the network and the firewall."),
    "Tenant": noted("Check DATAVERSE_AUTHORITY, the network and the firewall."),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: its name, OK, WARNING or FAILED, and a sentence."""

    name: str
    outcome: str
    sentence: str


Finding = tuple[str, str]  # outcome, sentence


class Probe(DataverseClient):
    """A client that asks once, and that can go each step of the way by itself."""

    def __init__(self, to: DataverseSettings) -> None:
        super().__init__(
            to.base_url, to.tenant_id, to.client_id, to.client_secret, authority=to.authority,
            ca_bundle=to.ca_bundle, timeout_seconds=15, deadline_seconds=120, max_attempts=1,
        )  # fmt: skip
        self.settings = to

    def knock(self) -> Answer:
        """Ask without a token."""
        return self._once(f"{self._api}/WhoAmI")

    def discover(self) -> Answer:
        """Ask the sign-in about the tenant."""
        where = f"{origin_of(self.settings.authority)}/{self.settings.tenant_id}"
        return self._once(f"{where}/v2.0/.well-known/openid-configuration")

    def token(self) -> str:
        return self._tokens.token(self._call())

    def privileges(self, user_id: str, privilege: str) -> list[Row]:
        """Return the roles that grant the user a privilege, each with its Depth."""
        function = "Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName"
        if not is_guid(user_id):
            return []
        address = f"{self._api}/systemusers({user_id})/{function}(PrivilegeName='{privilege}')"
        granted = self._object(self._answer(self._request("GET", address, {}), self._call()))
        roles = granted.get("RolePrivileges")
        return [role for role in roles if isinstance(role, dict)] if isinstance(roles, list) else []

    def error(self, answer: Answer) -> DataverseClientError:
        document = answer.json_object() or {}
        if isinstance(document.get("error"), str):  # Entra's shape; Dataverse's is an object
            return sign_in_error(document, answer.status, self._scrub)
        return error_for(answer, self._scrub)

    def _once(self, address: str) -> Answer:
        return self._retrier.answer(requests.Request("GET", address).prepare(), self._call())


def taken(name: str, look: Callable[[], Finding]) -> Step:
    """Take one step; what Dataverse does wrong in it is its outcome."""
    try:
        return Step(name, *look())
    except DataverseClientError as error:
        no_answer = isinstance(error, DataverseUnavailable) and error.status is None
        remedy = f" {_NO_ANSWER[name]}" if no_answer and name in _NO_ANSWER else ""
        return Step(name, FAILED, f"{error}{remedy}")
