"""A read that is written down at once costs one record, and reads back as the two rows it is."""

from datetime import UTC, datetime, timedelta

import pytest

from joule.kernel.ids import OrgId, TaskId, new_id
from joule.vault.vault import Vault
from traces import reader
from traces.opening import Journals
from traces.pairing import joined, parted
from traces.records import Kind, Row

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ABOUT = {"action": "memory.recall", "effect": "read", "binding": "ab" * 32, "tool": "recall"}
DECIDED = {"facts": {"role": "member"}, "policies": ["memory.reads"], "bundle": "cd" * 32, "decision": "allow"}


def intent(call: str = "act/0/0", **attrs: object) -> Row:
    return Row(
        kind=Kind.INTENT,
        at=AT,
        call=call,
        attrs={**ABOUT, **DECIDED, "decision_id": str(new_id()), **attrs},
        content={"args": {"query": "voice"}},
    )


def result(call: str = "act/0/0", **attrs: object) -> Row:
    return Row(
        kind=Kind.RESULT,
        at=AT + timedelta(microseconds=812),
        call=call,
        attrs={**ABOUT, "duration_us": 812, **attrs},
        content={"result": {"items": []}},
    )


def test_a_read_and_its_result_are_one_row_and_part_into_the_same_two():
    asked, ended = intent(), result(output_tokens=5)

    (one,) = joined([asked, ended])

    assert one.kind is Kind.PERFORMED
    assert parted(one) == (asked, ended)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (intent(effect="send"), result(effect="send")),
        (intent(effect="write"), result(effect="write")),
        (intent(call="act/0/0"), result(call="act/0/1")),
        (intent(), result(binding="ef" * 32)),
        (result(), intent()),
    ],
    ids=["sends", "writes", "another call", "another wish", "the wrong way round"],
)
def test_what_is_no_pair_stays_two_rows(first: Row, second: Row):
    assert joined([first, second]) == [first, second]


def test_rows_between_the_two_keep_them_apart():
    shown = Row(kind=Kind.TEXT, at=AT, call="act/0/0", content={"text": "…"})

    assert joined([intent(), shown, result()])[1] is shown


async def test_an_erased_record_still_parts_into_two_rows_without_content(database, vault: Vault, clock):
    org, task = OrgId(new_id()), TaskId(new_id())
    journal = await Journals(database=database, vault=vault, clock=clock).open(org, task, attempt=1, retention="90d")
    for row in (intent(), result()):
        journal.note(row.kind, call=row.call, attrs=row.attrs, content=row.content)
    await journal.flush()

    async with database.read(org) as session:
        with_key = await reader.events(session, journal.keyring, org, task)
        without = await reader.events(session, None, org, task)
        length = await reader.verify_task(session, org, task)

    assert length == 1
    assert [(each.seq, each.kind) for each in with_key] == [(0, "action.intent"), (0, "action.result")]
    assert [each.content for each in with_key] == [{"args": {"query": "voice"}}, {"result": {"items": []}}]
    assert [(each.kind, each.content) for each in without] == [("action.intent", {}), ("action.result", {})]
