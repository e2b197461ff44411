"""Where a conversation may be sent: an address the operator wrote down, encrypted unless it cannot leave the machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from joule.kernel.errors import Misconfigured


def check_address(url: str, provider: str) -> None:
    """Raises `Misconfigured` for an address that is ambiguous, hides a key, or would send conversations in clear."""
    if provider in {"bedrock", "google"}:
        raise Misconfigured(
            f"JOULE_MODEL_BASE_URL does not apply to {provider}",
            advice="Unset JOULE_MODEL_BASE_URL, or use `openai:MODEL` for a server that speaks the OpenAI wire format.",
        )
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment or not parts.hostname:
        raise Misconfigured(
            "JOULE_MODEL_BASE_URL is not a plain address",
            advice="Give only scheme, host, port and path, and put the key into JOULE_MODEL_API_KEY.",
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise Misconfigured(
            "JOULE_MODEL_BASE_URL would send conversations unencrypted",
            advice="Use https; plain http is accepted for a server on this machine only (127.0.0.1 or localhost).",
        )


def is_loopback(host: str) -> bool:
    """Whether an address cannot leave this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host, and the port if one is given, as the call log names it."""
    return urlsplit(url).netloc.lower()


def stays_here(url: str) -> bool:
    """Whether a request to `url` stays on this machine."""
    return is_loopback(urlsplit(url).hostname or "")
