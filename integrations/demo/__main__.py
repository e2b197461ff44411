"""Serves the demonstration on loopback until told to stop: `python -m integrations.demo --port 8110`."""

import argparse
import socket

import uvicorn

from integrations.demo.app import build_app


def main() -> None:
    """Listens on 127.0.0.1 alone, or on the socket handed down by `joule up`."""
    asked = argparse.ArgumentParser(prog="python -m integrations.demo", description=__doc__)
    where = asked.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int)
    where.add_argument("--socket", type=int, help="an open file that listens already")
    asked.add_argument("--redirect", action="append", default=[], help="a further address of Joule's callback")
    given = asked.parse_args()
    config = uvicorn.Config(
        build_app(redirects=tuple(given.redirect)),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    with _listening(given) as listening:
        uvicorn.Server(config).run(sockets=[listening])


def _listening(given: argparse.Namespace) -> socket.socket:
    if given.socket is not None:
        return socket.socket(fileno=given.socket)
    return socket.create_server(("127.0.0.1", given.port))


if __name__ == "__main__":
    main()
