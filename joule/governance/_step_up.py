"""Asks for a permission that a connected account lacks, and reads the answer.

Such an answer is no approval of the action: it opens nothing here. The provider alone says whether the permission is
there, when the call is made again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from joule.governance import approvals
from joule.governance.approvals import GRANT_LIFETIME, STEP_UP, Answer, Asked
from joule.governance.decision import Deny
from joule.kernel.action import Action
from joule.kernel.errors import ApprovalNeeded, GrantMissing
from joule.kernel.ids import DecisionId, new_id
from traces.journal import TaskJournal
from traces.records import Kind, Row


async def ask(
    journal: TaskJournal,
    action: Action[Any],
    call: str,
    about: Mapping[str, Any],
    lacking: GrantMissing,
    *,
    spent: Asked | None,
    policies: str,
    at: datetime,
) -> NoReturn:
    """Write down what is lacking and have the task wait. `spent`: the approval of this call, which is given back."""
    question = new_id()
    why = {"reason": str(lacking), "advice": lacking.advice(), "relevant": dict(action.relevant())}
    grant = {"connection": lacking.connection, "scopes": list(lacking.scopes)}
    async with journal.transaction() as transaction:
        if spent is not None:
            await approvals.give_back(transaction.session, org=journal.org, approval=spent.id)
        await approvals.ask(
            transaction.session,
            org=journal.org,
            approval=question,
            task=journal.task,
            decision=DecisionId(new_id()),
            call=call,
            action=f"{STEP_UP}{lacking.connection}",
            binding=approvals.bind(journal.keyring, action, policies=policies),
            at=at,
            lifetime=GRANT_LIFETIME,
        )
        await transaction.write(
            Kind.ASKED,
            call=call,
            attrs={**about, "decision": "ask", "code": lacking.code, "approval_id": str(question)},
            content={"args": action.arguments(), "why": why, "grant": grant},
        )
    raise ApprovalNeeded(action.name, reason=str(lacking), advice=lacking.advice())


async def answered(journal: TaskJournal, action: Action[Any], call: str, asked: Row, *, at: datetime) -> Deny | None:
    """None when the call may be tried again, else why not. Raises `ApprovalNeeded` while nobody has answered."""
    question = UUID(asked.attrs["approval_id"])
    async with journal.transaction() as transaction:
        found = await approvals.find(transaction.session, org=journal.org, approval=question, at=at)
    if found.answer is Answer.WAITING:
        why = asked.content.get("why", {"reason": "a connected account lacks a permission", "advice": ""})
        raise ApprovalNeeded(action.name, reason=why["reason"], advice=why["advice"])
    if found.answer is Answer.APPROVED:
        person = str(found.answered_by)
        journal.note(Kind.GIVEN, call=call, attrs={"approval_id": str(question), "person": person})
        return None
    journal.note(Kind.DECLINED, call=call, attrs={"approval_id": str(question)})
    if found.answer is Answer.SPENT:  # what nobody can give any more; see `approvals.granted`
        return Deny(
            policies=(),
            reason="the connected account was disconnected while this waited for a permission of it",
            advice="An owner or admin can connect the account again; then ask once more.",
        )
    reason, advice = approvals.words_of(found, journal.keyring)
    return Deny(policies=(), reason=reason, advice=advice)
