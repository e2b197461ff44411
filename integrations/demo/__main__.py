"""Serves the demonstration on loopback until told to stop: `python -m integrations.demo --port 8110`."""

import argparse

import uvicorn

from integrations.demo.app import build_app


def main() -> None:
    """Listens on 127.0.0.1 alone, whatever is asked."""
    asked = argparse.ArgumentParser(prog="python -m integrations.demo", description=__doc__)
    asked.add_argument("--port", type=int, required=True)
    asked.add_argument("--redirect", action="append", default=[], help="a further address of Joule's callback")
    given = asked.parse_args()
    config = uvicorn.Config(
        build_app(redirects=tuple(given.redirect)),
        host="127.0.0.1",
        port=given.port,
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
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
