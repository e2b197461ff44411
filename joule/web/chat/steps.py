"""Gathers what is told of one tool call, from its first argument to its end, and shows it as a card."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from joule.web import wording
from joule.web.chat import lacking, outcomes
from joule.web.chat.views import Approval, Fact, Step, StepUp

_HIDDEN_FACTS = {"effect", "training", "approved", "role"}


@dataclass(kw_only=True)
class Gathering:
    """One tool call as far as it is known."""

    key: str  # safe in an HTML id
    tool: str
    project: UUID
    reasons: Mapping[str, str]  # the words of the policies in force, by their ids
    action: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] = field(default_factory=dict)
    approval: UUID | None = None  # while a person has to answer
    approved: bool | None = None  # how they answered
    lacks: Mapping[str, Any] | None = None  # what a connected account was not allowed, last time it was tried
    said: str = ""  # what it says while it works
    outcome: str = ""  # result, failed or refused
    result: Any = None
    took: timedelta | None = None
    cut_off: bool = False  # the task ended before this did

    def decided(self, value: Mapping[str, Any]) -> None:
        """The gate has decided."""
        self.decision = value
        self.action = str(value.get("action") or self.action)
        if value.get("decision") == "ask":
            self.lacks = value.get("lacks")
        waits = value.get("decision") == "ask" and value.get("approval_id")
        self.approval = UUID(str(value["approval_id"])) if waits else None

    def says(self, text: str) -> bool:
        """It says something while it works. Whether that changes the card, which shows only the beginning."""
        if self.outcome or len(self.said) >= outcomes.MOST:
            return False
        self.said = (self.said + text)[: outcomes.MOST]
        return True

    def answered(self, *, approved: bool) -> None:
        """A person has answered."""
        self.approval, self.approved = None, approved

    def ended(self, content: Any, about: Mapping[str, Any]) -> None:
        """The call has come to its end."""
        self.outcome, self.result = str(about.get("outcome", "result")), content
        self.approval = None
        if "duration_us" in about:
            self.took = timedelta(microseconds=int(about["duration_us"]))

    def view(self) -> Step:
        """The card."""
        icon = wording.tool(self.tool)[0]
        verdict, tone, glyph, look = self._verdict()
        sentence, shown = self._end()
        why = self.decision.get("why") or {}
        return Step(
            key=self.key,
            icon=icon,
            title=self._title(),
            subject=outcomes.subject(lacking.asked_of(self.arguments)),
            verdict=verdict,
            tone=tone,
            glyph=glyph,
            look=look,
            asked=outcomes.asked(lacking.asked_of(self.arguments)),
            why=self._why(),
            advice=str(why.get("advice") or ""),
            policies=tuple(str(each) for each in self.decision.get("policies") or ()),
            facts=self._facts(),
            took=wording.duration(self.took) if self.took is not None else "",
            outcome=sentence,
            result=shown,
            saved=outcomes.saved(self.action, self.result, self.project) if self.outcome == "result" else None,
            sources=outcomes.sources(self.action, self.result, self.project) if self.outcome == "result" else (),
            approval=self._approval(),
            step_up=self._step_up(),
        )

    def _title(self) -> str:
        return lacking.title_of(self.arguments) or wording.tool(self.tool)[1]

    def _verdict(self) -> tuple[str, str, str, str]:
        said = self.decision.get("decision")
        if said == "deny" or self.outcome == "refused":
            return ("Declined" if self.approved is False else "Refused"), "no", "cross", "is-refused"
        if self.approval is not None:
            needs = "your approval" if self.lacks is None else "a permission"
            return f"Needs {needs}", "ask", "hand", "is-asking"
        if self.outcome == "failed":
            return "Allowed, but failed", "no", "cross", "is-refused"
        if self.cut_off:
            return "Not finished", "", "hand", ""
        if self.approved and self.lacks is None:
            return "Approved by you", "ok", "check", ""
        if said == "allow":
            return ("Allowed" if self.outcome else "Allowed, running"), "ok", "check", ""
        return "At the gate", "", "", ""

    def _why(self) -> str:
        said, why = self.decision.get("decision"), self.decision.get("why") or {}
        if why.get("reason") and said == "ask" and self.lacks is not None:
            return f"Allowed by the policies, but {_clause(str(why['reason']))}."
        if why.get("reason"):
            opening = {"ask": "Asks a person first: ", "deny": "Refused: "}.get(str(said), "")
            return f"{opening}{_clause(str(why['reason']))}."
        if said == "allow":
            policies = [str(each) for each in self.decision.get("policies") or ()]
            known = [self.reasons[each] for each in policies if each in self.reasons]
            return f"Allowed: {_clause(known[0] if known else 'a policy permits it on the facts below')}."
        return "Not decided yet."

    def _end(self) -> tuple[str, str]:
        if self.outcome == "failed":
            error = (self.result or {}).get("error") or {}
            message = _sentence(str(error.get("message") or "it did not work"))
            return f"{message} {error.get('advice') or ''}".strip(), ""
        if self.outcome == "refused":
            return "Nothing was done.", ""
        if self.outcome == "result":
            return outcomes.came_of(self.action, self.result)
        return "", self.said

    def _facts(self) -> tuple[Fact, ...]:
        facts = self.decision.get("facts") or {}
        told = (wording.fact(name, value) for name, value in facts.items() if name not in _HIDDEN_FACTS)
        return tuple(Fact(name=name, value=value) for name, value in told)

    def _approval(self) -> Approval | None:
        if self.approval is None or self.lacks is not None:
            return None
        why = self.decision.get("why") or {}
        where = (self.decision.get("facts") or {}).get("provenance")
        came_from = f"Where this comes from: {wording.fact('provenance', where)[1]}." if where else ""
        reason = _sentence(str(why.get("reason") or "a person must agree first"))
        return Approval(
            id=self.approval,
            href=f"/chat/approvals/{self.approval}",
            title=f"May Joule do this? {self._title()}",
            reason=f"{reason} {why.get('advice') or ''}".strip(),
            values=outcomes.asked(lacking.asked_of(self.arguments)),
            came_from=came_from,
            policies=tuple(str(each) for each in self.decision.get("policies") or ()),
        )

    def _step_up(self) -> StepUp | None:
        if self.approval is None or self.lacks is None:
            return None
        why = self.decision.get("why") or {}
        return lacking.step_up(
            self.lacks,
            self.arguments,
            question=self.approval,
            reason=_sentence(str(why.get("reason") or "the account lacks a permission for this")),
        )


def _clause(text: str) -> str:
    return text.rstrip(" .")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
