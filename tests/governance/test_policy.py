"""The policies decide: default deny, forbid wins, doubt is a no; and those we ship say what they should."""

import json
from functools import cache
from itertools import product
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joule.cli.policy import every_action
from joule.governance.decision import Allow, Ask, Decision, Deny, Facts
from joule.governance.errors import PolicyInvalid
from joule.governance.policy import Policy, schema_for, shipped
from joule.kernel.action import Action, Effect
from joule.kernel.label import Integrity, Purpose, Training
from joule.kernel.principal import Role, Via
from sandbox.contract import Boundary
from tests.support.bells import ACTIONS, Ring

PERMIT = 'permit (principal, action == Joule::Action::"bells.ring", resource)'
GOOD = f'@id("a") @reason("a rings") @advice("try a") {PERMIT};'
FACTS: dict[str, bool | str] = {
    "role": "member",
    "via": "agent",
    "effect": "send",
    "purpose": "essential.service",
    "integrity": "trusted",
    "training": "denied",
    "provenance": "words",
    "approved": False,
    "boundary": "none",
}


def decide(text: str, *, action: str = Ring.name, **facts: bool | str) -> Decision:
    policy = Policy(text, actions=ACTIONS)
    return policy.decide(action, principal="p", resource=("Project", "x"), facts={**FACTS, **facts})


def test_what_no_policy_permits_is_denied():
    assert decide(GOOD) == Allow(policies=("a",))
    assert decide(GOOD, action="bells.note") == Deny(policies=(), reason="no policy allows this", advice="")


def test_an_action_nobody_declared_is_denied():
    everything = '@id("all") @reason("all") permit (principal, action, resource);'

    assert decide(everything) == Allow(policies=("all",))
    assert isinstance(decide(everything, action="bells.melt"), Deny)


@pytest.mark.parametrize("approved", [False, True])
def test_a_forbid_wins_over_every_permit_and_every_approval(approved: bool):
    forbid = '@id("z") @reason("never") @advice("no way") forbid (principal, action, resource);'

    assert decide(GOOD + forbid, approved=approved) == Deny(policies=("z",), reason="never", advice="no way")


def test_what_needs_an_agreement_is_asked_in_the_policys_own_words():
    asking = GOOD.replace(";", " when { context.approved };")

    assert decide(asking) == Ask(policies=("a",), reason="a rings", advice="try a")
    assert decide(asking, approved=True) == Allow(policies=("a",))


@pytest.mark.parametrize("approved", [False, True])
def test_a_policy_that_cannot_be_evaluated_is_a_no_even_beside_one_that_allows(approved: bool):
    overflow = f'@id("b") @reason("b") {PERMIT} when {{ 9223372036854775807 + 1 == 0 }};'

    found = decide(GOOD + overflow, approved=approved)

    assert isinstance(found, Deny)
    assert found.reason == "the policies could not be evaluated"


def test_a_missing_fact_is_a_no():
    policy = Policy(GOOD.replace(";", ' when { context.role == "member" };'), actions=ACTIONS)
    given = {name: value for name, value in FACTS.items() if name != "role"}

    assert isinstance(policy.decide("bells.ring", principal="p", resource=("Project", "x"), facts=FACTS), Allow)
    assert isinstance(policy.decide("bells.ring", principal="p", resource=("Project", "x"), facts=given), Deny)


def test_a_question_asked_before_is_answered_the_same_and_another_one_anew():
    policy = Policy(GOOD.replace(";", ' when { context.role == "member" };'), actions=ACTIONS)

    def ask(**facts: str) -> Decision:
        return policy.decide("bells.ring", principal="p", resource=("Project", "x"), facts={**FACTS, **facts})

    for _ in range(2):
        assert isinstance(ask(), Allow)
        assert isinstance(ask(role="support"), Deny)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no policy"),
        ("permit (principal", "do not parse"),
        (f'@reason("a") {PERMIT};', "no @id"),
        (f'@id("") @reason("a") {PERMIT};', "no @id"),
        (GOOD + GOOD, "twice: a"),
        (f'@id("a") {PERMIT};', "does not say its reason"),
        (f'@id("a") @reason("") {PERMIT};', "does not say its reason"),
        ('@id("a") @reason("a") permit (principal == ?principal, action, resource);', "template"),
        (GOOD.replace(";", ' when { context.weather == "fair" };'), "do not fit the schema"),
        (GOOD.replace(";", " when { context.approved == 1 };"), "do not fit the schema"),
        (GOOD.replace("bells.ring", "bells.melt"), "do not fit the schema"),
        (GOOD.replace("principal,", "principal is Joule::Robot,"), "do not fit the schema"),
    ],
    ids=lambda value: value if " " in value and len(value) < 30 else "",
)
def test_policies_that_are_not_whole_do_not_start(text: str, problem: str):
    Policy(GOOD, actions=ACTIONS)

    with pytest.raises(PolicyInvalid, match=problem):
        Policy(text, actions=ACTIONS)


def test_other_words_are_another_version():
    digests = {Policy(text, actions=ACTIONS).digest for text in (GOOD, GOOD.replace("a rings", "b rings"))}

    assert len(digests) == 2
    assert Policy(GOOD, actions=ACTIONS[-1:]).digest not in digests


# The policies we ship.


@cache
def house() -> Policy:
    return Policy(shipped(), actions=every_action())


@cache
def unsliced() -> cedarpy.PolicySet:
    """All shipped policies at once, by their own names, put together without the house's help."""
    parsed = json.loads(cedarpy.policies_to_json_str(shipped()))
    named = {body["annotations"]["id"]: body for body in parsed["staticPolicies"].values()}
    return cedarpy.PolicySet.from_json_str(json.dumps({**parsed, "staticPolicies": named}))


def by_all(action: str, facts: Facts) -> tuple[bool, tuple[str, ...]]:
    answer = cedarpy.is_authorized(
        {
            "principal": {"type": "Joule::Person", "id": "p"},
            "action": {"type": "Joule::Action", "id": action},
            "resource": {"type": "Joule::Project", "id": "x"},
            "context": dict(facts),
        },
        unsliced(),
        cedarpy.Entities.from_json_str("[]"),
    )
    return answer.allowed, tuple(sorted(answer.diagnostics.reasons))


def facts_about(action: type[Action[Any]], **more: Any) -> dict[str, bool | str]:
    return {**FACTS, "effect": action.effect.value, "purpose": action.purpose.value, **more}


facts = st.fixed_dictionaries(
    {
        "role": st.sampled_from([each.value for each in Role]),
        "via": st.sampled_from([each.value for each in Via]),
        "effect": st.sampled_from([each.value for each in Effect]),
        "purpose": st.sampled_from([each.value for each in Purpose]),
        "integrity": st.sampled_from([each.value for each in Integrity]),
        "training": st.sampled_from([each.value for each in Training]),
        "provenance": st.sampled_from(["words", "minted", "elsewhere"]),
        "approved": st.booleans(),
        "boundary": st.sampled_from(["none", *Boundary]),
    }
)


@settings(deadline=None)  # all the policies together take their time on a busy machine
@given(st.sampled_from(every_action()), facts)
def test_the_policies_that_can_name_an_action_decide_as_all_of_them_do(action: type[Action[Any]], given: Facts):
    allowed, reasons = by_all(action.name, given)
    would, by = by_all(action.name, {**given, "approved": True})

    found = house().decide(action.name, principal="p", resource=("Project", "x"), facts=given)

    if allowed:
        assert found == Allow(policies=reasons)
    elif would and not given["approved"]:
        assert isinstance(found, Ask)
        assert found.policies == by
    else:
        assert isinstance(found, Deny)
        assert found.policies == reasons


def outcomes(action: type[Action[Any]], **fixed: Any) -> set[type[Decision]]:
    """What anybody at all can be told about an action."""
    ways = product(Role, Via, Integrity, ("words", "minted", "elsewhere"))
    return {
        type(
            house().decide(
                action.name,
                principal="p",
                resource=("Project", "x"),
                facts={
                    **facts_about(action, role=role.value, via=via.value, integrity=how.value, provenance=whence),
                    **fixed,
                },
            )
        )
        for role, via, how, whence in ways
    }


@pytest.mark.parametrize("action", every_action(), ids=lambda each: each.name)
def test_every_action_is_allowed_to_somebody_and_not_to_everybody(action: type[Action[Any]]):
    anyhow = outcomes(action) | outcomes(action, approved=True) | outcomes(action, training="allowed")

    assert {Allow, Deny} <= anyhow


@pytest.mark.parametrize("action", every_action(), ids=lambda each: each.name)
def test_the_agent_never_changes_access_whoever_agrees(action: type[Action[Any]]):
    as_agent = outcomes(action, via="agent") | outcomes(action, via="agent", approved=True)

    assert outcomes(action, via="agent", effect="access", approved=True) == {Deny}
    assert outcomes(action, via="agent", effect="access") == {Deny}
    if action.effect is Effect.ACCESS:
        assert as_agent == {Deny}


@pytest.mark.parametrize("action", every_action(), ids=lambda each: each.name)
def test_nobody_trains_a_model_on_what_is_not_allowed_for_it(action: type[Action[Any]]):
    assert outcomes(action, purpose=Purpose.TRAIN.value, approved=True) == {Deny}


@pytest.mark.parametrize("action", every_action(), ids=lambda each: each.name)
def test_whoever_has_not_signed_in_may_only_sign_in(action: type[Action[Any]]):
    may = Allow in outcomes(action, role="anonymous", approved=True)

    assert may is action.name.startswith("identity.sign_in_with_")


@pytest.mark.parametrize("name", ["memory.write_file", "memory.edit_file", "memory.delete_file", "memory.remember"])
@pytest.mark.parametrize(("provenance", "expected"), [("words", Allow), ("minted", Ask), ("elsewhere", Ask)])
def test_the_agent_writes_what_was_named_and_asks_about_the_rest(name: str, provenance: str, expected: type[Decision]):
    action = next(each for each in every_action() if each.name == name)

    found = house().decide(
        name, principal="p", resource=("Project", "x"), facts=facts_about(action, provenance=provenance)
    )

    assert type(found) is expected


def test_every_shipped_reason_and_advice_is_a_plain_sentence_part():
    parsed = json.loads(cedarpy.policies_to_json_str(shipped()))["staticPolicies"].values()
    words = [each["annotations"] for each in parsed]

    assert all(each["reason"] and each["reason"][0].islower() and each["reason"][-1] != "." for each in words)
    assert all(each["advice"].endswith(".") for each in words if each.get("advice"))


def test_the_schema_declares_every_action_there_is():
    schema = schema_for([each.name for each in every_action()])

    assert all(f'action "{each.name}"' in schema for each in every_action())
