"""What `joule doctor` asks of the journal: that there is room ahead to write to."""

from datetime import UTC, datetime

from joule.cli._installation import addressed, app_url
from joule.kernel.settings import Settings


async def partitions(settings: Settings) -> tuple[bool, str, str]:
    """Whether every class in use has partitions for a week or more."""
    from joule.database.engine import Database
    from traces.ending import partitions as journal

    database = Database(app_url(addressed(settings)), pool_size=1)
    try:
        async with database.unscoped() as session:
            ahead = await journal.ahead(session, now=datetime.now(UTC))
    finally:
        await database.close()
    short = [each for each in ahead if not each.is_enough]
    if not ahead:
        return True, "no partition was made yet: the first start makes them", ""
    least = min(ahead, key=lambda each: each.days)
    found = f"the journal can be written to for {least.days} days (class {least.retention})"
    return not short, found, "Start a worker, which makes more each six hours, and look at its log (docs/privacy.md)."
