"""What people type stands nowhere in clear: not in the database, nor a log, a signal, an error or a page of support."""

from psycopg.conninfo import conninfo_to_dict

from joule.bench.canary import controls, hunt
from joule.kernel.settings import Settings
from joule.vault.local_key_file import LocalKeyFile
from tests.support.postgres import TestServer


async def test_nothing_of_a_day_at_joule_is_found_in_clear(
    settings: Settings, test_server: TestServer, app_url: str
) -> None:
    LocalKeyFile.create(settings.key_file)
    superuser = test_server.superuser_url(str(conninfo_to_dict(app_url)["dbname"]))

    findings = await hunt(settings, server=test_server.server, superuser=superuser)
    blind = await controls(settings, server=test_server.server, superuser=superuser)

    assert findings.planted >= 65
    assert {"prompts of models", "pages and receipts of admins"} <= findings.places
    assert len(findings.places) >= 12
    assert findings.leaks == []
    assert blind == []  # positive control: the same search finds what was put there in clear
