"""Listens where words could get out while Joule works: logs, signals, the server's own view, and LangSmith."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import langsmith.utils
import psycopg

_CHANNELS = ("joule_task", "joule_stop", "procrastinate_queue_v1#tasks", "procrastinate_any_queue_v1")


@dataclass(kw_only=True)
class Heard:
    """What passed through the server meanwhile."""

    signals: list[str] = field(default_factory=list)
    statements: set[str] = field(default_factory=set)


@asynccontextmanager
async def overheard(superuser: str) -> AsyncIterator[Heard]:
    """Every signal between processes, and the statements the server shows to an operator."""
    heard, listening, watching = Heard(), asyncio.Event(), asyncio.Event()

    async def listen() -> None:
        async with await psycopg.AsyncConnection.connect(superuser, autocommit=True) as connection:
            for channel in _CHANNELS:
                await connection.execute(f'LISTEN "{channel}"')
            listening.set()
            async for each in connection.notifies():
                heard.signals.append(f"{each.channel} {each.payload}")

    async def watch() -> None:
        async with await psycopg.AsyncConnection.connect(superuser, autocommit=True) as connection:
            while True:
                rows = await (await connection.execute("SELECT query FROM pg_stat_activity")).fetchall()
                heard.statements |= {row[0] for row in rows if row[0]}
                watching.set()
                await asyncio.sleep(0.05)

    both = [asyncio.create_task(listen()), asyncio.create_task(watch())]
    try:
        await listening.wait()
        await watching.wait()
        yield heard
    finally:
        await asyncio.sleep(0.2)
        for each in both:
            each.cancel()
        await asyncio.gather(*both, return_exceptions=True)


@asynccontextmanager
async def logged(path: Path) -> AsyncIterator[None]:
    """Everything any library of this process logs, at DEBUG, in a file."""
    root, handler = logging.getLogger(), logging.FileHandler(path)
    before = root.level
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()


@dataclass(kw_only=True)
class Trap:
    """A place of ours where LangSmith would report to."""

    url: str = ""
    reports: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def trapped() -> AsyncIterator[Trap]:
    """The environment of somebody who has switched LangSmith on, with its address on loopback: nothing goes further.

    Enter it before a house is opened; processes started inside inherit it.
    """
    trap = Trap()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trap.reports.append(await reader.read(65536))
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    trap.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    switched = dict.fromkeys(
        ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"), "true"
    )
    switched |= {"LANGSMITH_ENDPOINT": trap.url, "LANGCHAIN_ENDPOINT": trap.url, "LANGSMITH_API_KEY": "of-nobody"}
    before = {name: os.environ.get(name) for name in switched}
    os.environ.update(switched)
    _forget_environment()
    try:
        async with server:
            yield trap
            await asyncio.sleep(1)  # it reports in the background
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        _forget_environment()


def _forget_environment() -> None:
    """LangSmith remembers what it has read of the environment; its types hide that it can forget."""
    forget: Any = langsmith.utils.get_env_var
    forget.cache_clear()
