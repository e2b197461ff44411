"""`joule chat`: one message to the agent, followed to its end."""

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from joule.cli._follow import follow, words_of
from joule.cli._installation import opened
from joule.cli._output import Failed, Output, reporting
from joule.kernel.ids import TaskId, ThreadId

if TYPE_CHECKING:
    from joule.assembly import House
    from joule.kernel.principal import Principal
    from traces.reader import TaskEvent

LONG_WAIT = 50  # looks at a queued task after which the person is told why nothing happens


@click.command("chat")
@click.argument("message")
@click.option("--project", "-p", help="Title or id; without it, the only project there is.")
@click.option("--thread", type=click.UUID, help="Go on in this thread.")
@reporting
async def command(output: Output, message: str, project: str | None, thread: UUID | None) -> None:
    """Send the agent a message and follow what it does.

    You speak as the workspace's owner. Steps are shown as they happen. When the policy wants your approval you are
    asked here; without a terminal the task waits and the command exits with 1.
    """
    from joule.cli._projects import project_of
    from joule.tasks.actions import StartTask

    async with opened() as (house, person):
        chosen = await project_of(house, person, project)
        started = await house.commands.perform(
            StartTask(
                principal=person, project=chosen, thread=ThreadId(thread) if thread is not None else None, text=message
            )
        )
        talk = Talk(house=house, person=person, output=output, task=started.task)
        try:
            await talk.through()
        except BaseException:
            output.say(
                f"\nThe task goes on without you: `joule task show {started.task}`, `joule task stop {started.task}`"
            )
            raise
    told = {"task": started.task, "thread": started.thread, "state": talk.state, "code": talk.code}
    output.result(
        {**told, "answer": talk.answer, "steps": talk.steps},
        f"\n\nTask {started.task} ({talk.standing}); thread {started.thread}",
    )
    if talk.state != "done":
        raise Failed


@dataclass(kw_only=True)
class Talk:
    """One task as it is told on the terminal."""

    house: "House"
    person: "Principal"
    output: Output
    task: TaskId
    state: str = "queued"
    code: str | None = None
    answer: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)
    _mid_line: bool = False
    _speaking: str | None = None

    @property
    def standing(self) -> str:
        """Where the task stands, with the error's code when it failed."""
        return f"{self.state}: {self.code}" if self.code else self.state

    async def through(self) -> None:
        """Tell everything until the task has ended, or waits for somebody who is not here."""
        open_questions: list[UUID] = []
        looks = 0
        async for look in follow(self.house, self.person.org, self.task):
            for event in look.rows:
                self._tell(event)
                if event.kind == "approval.asked":
                    open_questions.append(UUID(str(event.attrs["approval_id"])))
            self.state, self.code = look.state.value, look.code
            looks += 1
            if self.state == "queued" and looks == LONG_WAIT:
                self.output.say("Waiting for a worker; is `joule up` or `joule worker` running?")
            if self.state == "waiting" and open_questions:
                if self.output.as_json or not sys.stdin.isatty():
                    ids = ", ".join(str(each) for each in open_questions)
                    self.output.say(f"The task waits for an answer: `joule task answer ID --approve`, with ID {ids}")
                    return
                await self._ask(open_questions)
        if not self.answer:
            await self._take_answer()

    def _tell(self, event: "TaskEvent") -> None:
        if event.kind == "text.delta":
            text = str(event.content.get("text", ""))
            if self.answer and event.call != self._speaking:
                text = f"\n\n{text}"  # another turn of the model
            self._speaking = event.call
            self.answer += text
            self.output.stream(text)
            self._mid_line = not text.endswith("\n")
            return
        if (line := words_of(event)) is not None:
            self.output.say(f"\n{line}" if self._mid_line else line)
            self._mid_line = False
            self.steps.append({"kind": event.kind, "call": event.call, **event.attrs, **event.content})
        if event.kind == "task.ended" and event.content.get("answer"):
            if not self.answer:
                self.output.stream(str(event.content["answer"]))
            self.answer = str(event.content["answer"])

    async def _ask(self, open_questions: list[UUID]) -> None:
        from joule.tasks.actions import AnswerApproval

        while open_questions:
            approval = open_questions.pop(0)
            approved = click.confirm("Allow this?", err=True)
            await self.house.commands.perform(
                AnswerApproval(principal=self.person, approval=approval, approved=approved)
            )

    async def _take_answer(self) -> None:
        """What the task row says, when the journal ended without words of its own."""
        from joule.tasks import queries

        async with self.house.database.read(self.person.org) as session:
            _, answer = await queries.words(session, self.house.vault, self.person.org, self.task)
        self.answer = answer or ""
        self.output.stream(self.answer)
