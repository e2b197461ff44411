"""Joule as people run it: `joule up` in a process of its own, with a home folder and a port of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer

from joule.assembly import open_house
from joule.cli._first_start import sign_in_path
from joule.cli._installation import addressed, oldest_owner
from joule.kernel.settings import Settings

_LINK = re.compile(r"http://\S+/sign-in/link\?token=\S+")


@dataclass(frozen=True, kw_only=True)
class Running:
    """Where it runs, and the link that signed its owner in once."""

    address: str
    printed: str
    home: Path

    async def link(self) -> str:
        """Another link that signs the owner in once, made beside the installation and over its database."""
        async with open_house(addressed(Settings(home=self.home))) as house:
            owner = await oldest_owner(house)
            assert owner is not None
            return f"{self.address}{await sign_in_path(house, owner)}"


@contextmanager
def joule_up(**variables: str) -> Iterator[Running]:
    """Starts everything and waits for the link; stops everything at the end."""
    # Not under pytest's own folder: as root, the database's user has to be able to pass through.
    with TemporaryDirectory(prefix="joule-home-") as folder:
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JOULE_")}
        environment |= {"JOULE_HOME": str(home), "JOULE_WEB_PORT": "0", **variables}
        process = subprocess.Popen(
            (sys.executable, "-m", "joule.cli", "up", "--no-sample"),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            link = _printed(process)
            yield Running(address=link.split("/sign-in")[0], printed=link, home=home)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def _printed(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    said = ""
    late = Timer(90, process.kill)
    late.start()
    try:
        while (link := _LINK.search(said)) is None:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"joule up ended:\n{said}")
            said += line
    finally:
        late.cancel()
    return link[0]
