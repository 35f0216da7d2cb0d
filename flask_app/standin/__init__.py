"""A small Dataverse to run on one's own machine: token endpoint and Web API v9.2 over TLS. See README.md."""

from .access import Access
from .standin import Standin

__all__ = ["Access", "Standin"]
