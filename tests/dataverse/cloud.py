"""A cloud of recorded answers (the `responses` library) for tests of what is sent and what is made of it."""

from typing import Any, Self

import responses

from flask_app.dataverse.client import DataverseClient
from flask_app.dataverse.contract import COLUMNS, TYPES

ORG = "https://org.crm.dynamics.com"
JOBS = f"{ORG}/api/data/v9.2/imi_jobs"
DEFINITIONS = f"{ORG}/api/data/v9.2/EntityDefinitions(LogicalName='imi_job')/Attributes"
TENANT = "https://login.microsoftonline.com/tenant"
DISCOVERY = f"{TENANT}/v2.0/.well-known/openid-configuration"
TOKEN = f"{TENANT}/oauth2/v2.0/token"
SECRET = "hush~hush/4 2"
JOB_ID = "11111111-2222-3333-4444-555555555555"


class Cloud(responses.RequestsMock):
    """Entra and Dataverse. Answers to the same address are given in the order in which they were added."""

    def __init__(self) -> None:
        super().__init__(assert_all_requests_are_fired=False)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def discover(self) -> None:
        """Publish the sign-in's addresses."""
        endpoints = {"authorization_endpoint": f"{TENANT}/oauth2/v2.0/authorize", "token_endpoint": TOKEN}
        self.get(DISCOVERY, json={**endpoints, "issuer": f"{TENANT}/v2.0"})

    def sign_in(self, *tokens: str) -> None:
        """Let the sign-in grant these tokens, one after the other."""
        self.discover()
        for token in tokens or ("first-token",):
            self.post(TOKEN, json={"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def tell_columns(self, **types: str) -> None:
        """Let Dataverse tell the columns: those of the contract, in the plan's types or in `types`."""
        types = {name: TYPES[column.kind][0] for name, column in COLUMNS.items()} | types
        told = [
            {"LogicalName": name, "AttributeTypeName": {"Value": kind}, "IsValidForRead": True}
            for name, kind in types.items()
        ]
        self.get(DEFINITIONS, json={"value": told})

    def page(self, *rows: Any, link: Any = None, address: str = JOBS) -> None:
        """Let Dataverse answer with a page, and a link to the next one if there is one."""
        self.get(address, json={"value": list(rows)} | ({} if link is None else {"@odata.nextLink": link}))

    def asked(self, part: str = ORG) -> list[Any]:
        """Return the requests whose address contains `part`."""
        return [call.request for call in self.calls if part in call.request.url]


def new_client(**settings: Any) -> DataverseClient:
    """Return a client of the cloud that never really sleeps."""
    return DataverseClient(ORG, "tenant", "client", SECRET, **{"sleep": lambda seconds: None, **settings})
