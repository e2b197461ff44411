"""An answer that means no is read as no, whatever its status."""

from typing import Any

import pytest

from integrations.catalogue.load import catalogue
from integrations.catalogue.verdict import error_code, failure
from tests.integrations.catalogue.samples import listing

SLACK = catalogue().operation("slack", "post_message")
HUBSPOT = catalogue().operation("hubspot", "list_campaigns")
META = catalogue().operation("meta_ads_pages", "list_pages")
GOOGLE = catalogue().operation("google_drive_docs_sheets", "find_files")


def google(status: str, **more: object) -> dict[str, object]:
    """An error as Google writes them."""
    return {"error": {"code": 403, "message": "canary words", "status": status, **more}}


@pytest.mark.parametrize(
    ("operation", "status", "answer", "meaning"),
    [
        (SLACK, 200, {"ok": True}, None),
        (SLACK, 200, {"ok": False, "error": "missing_scope"}, "scope"),
        (SLACK, 200, {"ok": False, "error": "token_revoked"}, "reconnect"),
        (SLACK, 200, {"ok": False, "error": "never heard of"}, "refused"),
        (SLACK, 200, {"ok": 1.5}, "refused"),
        (SLACK, 200, {}, "refused"),
        (SLACK, 200, "ok", "refused"),
        (SLACK, 429, {"ok": False, "error": "ratelimited"}, "busy"),
        (HUBSPOT, 403, {"category": "MISSING_SCOPES"}, "scope"),
        (HUBSPOT, 403, {"category": "OTHER"}, "refused"),
        (GOOGLE, 403, google("PERMISSION_DENIED", details=[{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]), "scope"),
        (GOOGLE, 403, google("PERMISSION_DENIED", errors=[{}, {"reason": "insufficientPermissions"}]), "scope"),
        (GOOGLE, 403, google("PERMISSION_DENIED", details=[{"reason": "SERVICE_DISABLED"}]), "refused"),
        (GOOGLE, 403, google("PERMISSION_DENIED", details=["scope", None, {"reason": ["x"]}]), "refused"),
        (GOOGLE, 403, google("PERMISSION_DENIED", details="text"), "refused"),
        (GOOGLE, 429, google("RESOURCE_EXHAUSTED", errors=[{"reason": "rateLimitExceeded"}]), "busy"),
        (META, 400, {"error": {"code": 190}}, "reconnect"),
        (META, 400, {"error": {"code": 17}}, "busy"),
        (META, 400, {"error": "text"}, "refused"),
        (listing(), 200, None, None),
        (listing(), 204, None, None),
        (listing(), 301, None, "refused"),
        (listing(), 401, None, "reconnect"),
        (listing(), 403, None, "refused"),
        (listing(), 404, None, "missing"),
        (listing(), 503, "<html>", "busy"),
    ],
)
def test_what_an_answer_comes_down_to(operation: Any, status: int, answer: Any, meaning: str | None) -> None:
    assert failure(operation, status, answer) == meaning


def test_a_code_that_could_be_content_is_not_taken_for_one() -> None:
    assert error_code(SLACK, {"error": "missing_scope"}) == "missing_scope"
    for odd in ("Dear Kim, your order", "x" * 61, "", True, None, {"a": 1}, "a\nb"):
        assert error_code(SLACK, {"error": odd}) is None
