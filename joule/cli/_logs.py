"""What the long-running processes write to stderr: times, levels, names; never content."""

import logging

from joule.kernel.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Set the level for our own names. What libraries log may quote a request, so only their warnings are kept."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("joule", "integrations", "memory", "sandbox", "traces"):
        logging.getLogger(name).setLevel(settings.log_level)
