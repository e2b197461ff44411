"""Processes that know nothing of each other renew a token once."""

from joule.bench._rotating import rotating
from joule.bench.refresh import race
from joule.database.engine import Database
from joule.kernel.clock import SystemClock
from joule.kernel.settings import IntegrationSettings, Settings
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.vault import Vault


async def test_rule_14_processes_that_find_a_token_stale_at_once_renew_it_once(
    settings: Settings, database: Database
) -> None:
    async with rotating() as provider:
        ours = IntegrationSettings(deadline_seconds=4, lease_seconds=12, demo_port=provider.port)
        settings = settings.model_copy(
            update={"integrations": ours, "vault": settings.vault.model_copy(update={"key_file": None})}
        )
        wrapper = LocalKeyFile.create(settings.key_file)
        vault = Vault(wrapper=wrapper, clock=SystemClock(), environment=settings.environment, cache_seconds=60)

        raced = await race(settings, provider, database, vault, callers=8, processes=2, slow=0.2)

    assert raced["refreshes"] == 1  # the provider ends the grant at the second
    assert (raced["distinct_tokens"], raced["lost_grants"]) == (1, 0)
