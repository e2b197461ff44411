"""A connector as somebody else would write one: counts the contacts of the demonstration, page by page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from integrations.broker.connectors import Send
from integrations.catalogue.load import provider_from
from integrations.catalogue.model import Operation, Provider
from integrations.catalogue.render import render

MOST_PAGES = 10


class SampleConnector:
    """One operation that no single request can answer."""

    def __init__(self) -> None:
        text = Path(__file__).with_name("sample_crm.yaml").read_text(encoding="utf-8")
        self._provider = provider_from("sample_crm", text)

    @property
    def provider(self) -> Provider:
        return self._provider

    def operations(self) -> Mapping[str, Operation]:
        return self._provider.operations

    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        counted, cursor, pages = 0, None, 0
        while pages < MOST_PAGES:
            request = render(self._provider, operation, {**arguments, "cursor": cursor}, tenant_host=send.tenant_host)
            answer = await send(request)
            found = answer if isinstance(answer, dict) else {}
            contacts = found.get("contacts")
            counted, pages = counted + (len(contacts) if isinstance(contacts, list) else 0), pages + 1
            cursor = found.get("next")
            if not isinstance(cursor, str) or not cursor:
                break
        return {"count": counted, "pages": pages}
