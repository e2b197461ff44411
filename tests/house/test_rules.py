"""Each rule of the standards that connected accounts keep is shown by a test that bears its number and can fail."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from tests.house.source import modules, tree_of

# The rules in a few words each; where a rule is kept by not having a thing at all, its test shows that it is not there.
RULES = {
    1: "only codes are asked for and only codes are taken: a fragment is never read",
    2: "PKCE S256 on every flow, the verifier sealed",
    3: "no way back from PKCE where the server has it",
    4: "state: long, once, ten minutes, bound to browser, organisation, person, provider and redirect",
    5: "whoever finishes is whoever began",
    6: "the issuer is compared before the code leaves us",
    7: "one redirect address for each provider",
    8: "redirects match exactly, and lead nowhere else",
    9: "a code works once",
    10: "a token answer is a token answer in every part",
    11: "scopes granted are the truth",
    12: "a refresh asks for no scope",
    13: "a rotated refresh token is kept together with its access token, and a crash between is noticed",
    14: "one refresh, however many ask in however many processes",
    15: "a lease outlives the whole deadline",
    16: "invalid_grant is looked at twice before it is believed",
    17: "a provider that is away says nothing about the grant",
    18: "clock skew costs one refresh at most",
    19: "expires_in in every shape",
    20: "the refresh token is revoked first; unknown is success, a refused client is not",
    21: "a revoke is complete here at once, provider or no provider",
    22: "introspection where it is offered",
    23: "discovery is checked, pinned and follows no redirect",
    24: "tokens are for the resource that was named",
    25: "pushed requests where the server demands them",
    26: "a bound token is not used unbound",
    27: "no device flow",
    28: "four ways for a client to prove itself",
    29: "a step-up that fails leaves the connection as it was",
    30: "addresses of a tenant's own pass a strict pattern and lead nowhere inside",
    31: "no token in a log, a trace, an error, a prompt or a page",
    32: "two client secrets are good while one replaces the other",
    33: "a protected resource's metadata is about that resource",
    34: "our client document is about its own address",
}
_NUMBERED = re.compile(r"test_rule_(\d\d)_(?!control_)\w+")


def shown_by(trees: Iterable[ast.Module]) -> dict[int, list[str]]:
    """Which tests show which rule. A control shows what happens without the rule, so it does not count."""
    found: dict[int, list[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (name := _NUMBERED.fullmatch(node.name)):
                checks = any(isinstance(each, ast.Assert) or _raises(each) for each in ast.walk(node))
                if checks and not any("skip" in ast.unparse(each) for each in node.decorator_list):
                    found.setdefault(int(name[1]), []).append(node.name)
    return found


def _raises(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.raises"


def test_each_of_the_rules_is_shown_by_a_test_of_its_number() -> None:
    found = shown_by(tree_of(path) for path in modules("tests") if path != Path(__file__))

    assert sorted(RULES) == list(range(1, 35))
    assert sorted(set(RULES) - set(found)) == []
    assert sorted(set(found) - set(RULES)) == []  # nobody counts past the list


def test_a_rule_without_a_test_is_noticed() -> None:
    tests = """
def test_rule_01_shown(): assert True
def test_rule_02_control_only(): assert True
def test_rule_03_shows_nothing(): ...
@pytest.mark.skip
def test_rule_04_never_runs(): assert True
"""

    assert shown_by([ast.parse(tests)]) == {1: ["test_rule_01_shown"]}
