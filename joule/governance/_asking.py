"""Writes down that a person must agree first, and has the task wait for them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from joule.governance import approvals
from joule.governance.decision import Ask
from joule.kernel.action import Action
from joule.kernel.errors import ApprovalNeeded
from joule.kernel.ids import DecisionId, new_id
from traces.journal import TaskJournal
from traces.records import Kind


async def ask(
    journal: TaskJournal,
    action: Action[Any],
    call: str,
    about: Mapping[str, Any],
    decision: Ask,
    *,
    policies: str,
    at: datetime,
) -> NoReturn:
    """Ask a person about exactly this `action`. `policies`: digest of those that ask."""
    approval = new_id()
    why = {"reason": decision.reason, "advice": decision.advice, "relevant": dict(action.relevant())}
    async with journal.transaction() as transaction:
        await approvals.ask(
            transaction.session,
            org=journal.org,
            approval=approval,
            task=journal.task,
            decision=DecisionId(new_id()),
            call=call,
            action=action.name,
            binding=approvals.bind(journal.keyring, action, policies=policies),
            at=at,
        )
        await transaction.write(
            Kind.ASKED,
            call=call,
            attrs={**about, "decision": "ask", "approval_id": str(approval)},
            content={"args": action.arguments(whole=True), "why": why},
        )
    raise ApprovalNeeded(action.name, reason=decision.reason, policies=decision.policies, advice=decision.advice)
