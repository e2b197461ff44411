"""Puts the export of spans together, over the backend the deployment chose."""

from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.errors import Misconfigured
from joule.kernel.sections import OtelSettings
from joule.vault.vault import Vault
from traces.otel.exporting import Exporting
from traces.otel.wire import backend


def exporting(settings: OtelSettings, *, database: Database, vault: Vault, clock: Clock) -> Exporting:
    """The export of this house. Raises `Misconfigured` for a backend that would be spoken with in clear."""
    chosen = None
    if settings.endpoint:
        chosen = backend(
            settings.endpoint, headers=_headers(settings), service=settings.service, metrics=settings.metrics
        )
    return Exporting(database=database, vault=vault, clock=clock, backend=chosen)


def _headers(settings: OtelSettings) -> dict[str, str]:
    given = settings.headers.get_secret_value() if settings.headers is not None else ""
    pairs = [each.partition("=") for each in given.split(",") if each.strip()]
    if not all(name.strip() and value.strip() for name, _, value in pairs):
        raise Misconfigured("JOULE_OTEL_HEADERS cannot be read", advice="Write name=value,name=value.")
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
