"""Opens the client of a bucket that speaks S3, for whichever room keeps things in one."""

from typing import Any
from urllib.parse import urlsplit

from joule.kernel.errors import Misconfigured

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def bucket_client(endpoint: str | None, *, of: str, setting: str) -> Any:
    """A client for the server at `endpoint`, AWS when None. `of`: what is kept there; `setting`: the endpoint's variable.

    Raises `Misconfigured` for an address that would be spoken with in clear, and where boto3 is not installed.
    """
    address = urlsplit(endpoint or "https://")
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise Misconfigured(
            f"the bucket of {of} would be spoken with in clear", advice=f"Set {setting} to an https address."
        )
    try:
        import boto3  # type: ignore[import-untyped,unused-ignore]
        from botocore.config import Config  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise Misconfigured(
            f"a bucket is configured for {of}, but boto3 is not installed", advice="Install `joule-agent[aws]`."
        ) from None

    waits = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3, "mode": "standard"})
    return boto3.client("s3", endpoint_url=endpoint, config=waits)
