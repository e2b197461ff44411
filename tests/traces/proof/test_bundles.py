"""What leaves the house: a file that holds for whoever has it, says what was erased, and gives away no more than it should."""

import ast
import asyncio
import io
import json
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from joule.bench._tampered import files_of, packed
from joule.database.engine import Database
from joule.identity.deployment import DEPLOYMENT
from joule.kernel.errors import NotFound, Refused
from joule.kernel.ids import DecisionId, OrgId, PersonId, TaskId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from tests.support.house import home
from tests.support.postgres import TestServer
from tests.traces.proof.conftest import Kept
from tests.traces.proof.test_sealing import record
from traces import verify
from traces.ending import erasing
from traces.opening import Journals
from traces.proof import queries
from traces.proof.actions import ExportContent, ExportRecord, RotateSigningKey
from traces.proof.bundle import Form
from traces.proof.errors import NotProvable
from traces.proof.proofs import Proofs

LARGEST = text(
    "SELECT max(octet_length(t.sealed)) FROM trace_content t JOIN trace_chain c ON c.task_id = t.task_id"
    " WHERE c.key_subject LIKE 'day:%'"
)
WORDS = "canary-4c1e which nobody else writes"


def checked(content: bytes, folder: Path, *, pinned: str | None = None, kept: tuple[str, ...] = ()) -> verify.Report:
    bundle = folder / "bundle.zip"
    bundle.write_bytes(content)
    return verify.check(bundle, pinned=pinned, kept=kept)


async def newest(database: Database, org: OrgId) -> str:
    async with database.read(org) as session:
        return (await queries.newest_heads(session, org))[0].note


async def test_people_take_along_what_their_role_lets_them_and_it_holds(settings: Settings, tmp_path: Path):
    async with home(settings) as here:
        await here.upload("a.txt", WORDS.encode())
        claim = here.claim(f"remember that {WORDS}")
        await here.run(claim)
        perform, owner = here.house.commands.perform, here.owner

        def like(role: Role) -> Principal:
            return Principal(org=here.org, person=owner.person, role=role, via=Via.PERSON)

        redacted = await perform(ExportRecord(principal=like(Role.SUPPORT), task=claim.task))
        sealed = await perform(ExportRecord(principal=owner, task=claim.task, sealed=True))
        content = await perform(ExportContent(principal=owner, task=claim.task))
        for action in (
            ExportContent(principal=like(Role.SUPPORT), task=claim.task),
            *(
                kind(principal=who, task=claim.task)
                for kind in (ExportRecord, ExportContent)
                for who in (like(Role.MEMBER), owner.as_agent())
            ),
        ):
            with pytest.raises(Refused):
                await perform(action)
        with pytest.raises(NotFound):
            await perform(ExportRecord(principal=owner, task=TaskId(new_id())))
        key = (await here.house.proofs.signing.keys())[-1].line
        async with here.house.database.read(here.org) as session:
            largest = await session.scalar(LARGEST)

    found = {
        each.file_name: checked(each.content.get_secret_value(), tmp_path, pinned=key)
        for each in (redacted, sealed, content)
    }
    report = found[redacted.file_name]
    assert report.ended
    assert report.rows == report.sealed_rows == redacted.rows
    assert report.decisions["allow"] > 0
    assert report.policies
    assert report.proven == report.ciphertexts == 0
    assert found[sealed.file_name].ciphertexts == report.fields
    assert found[content.file_name].proven == report.fields
    told = {
        name: b"".join(files_of(each.content.get_secret_value()).values())
        for name, each in (("redacted", redacted), ("sealed", sealed), ("content", content))
    }
    assert {name: WORDS.encode() in files for name, files in told.items()} == {
        "redacted": False,
        "sealed": False,
        "content": True,
    }
    assert largest is not None
    assert largest < redacted.size / 2  # the journal of what people did keeps no bundle


async def test_a_bundle_says_what_was_erased_and_goes_on_holding(
    journals: Journals,
    proving: Proofs,
    database: Database,
    vault: Vault,
    clock: StoppedClock,
    org: OrgId,
    tmp_path: Path,
):
    task = await record(journals, org)
    before = await proving.bundles.build(org, task, Form.CONTENT)
    async with database.write(org) as session:
        await erasing.erase(
            session,
            vault,
            org,
            f"task:{task}",
            cause=erasing.Cause.REQUEST,
            by=PersonId(new_id()),
            at=clock.now(),
            decision=DecisionId(new_id()),
        )

    after = await proving.bundles.build(org, task, Form.CONTENT)

    report = checked(after.content, tmp_path, kept=(await newest(database, org),))
    assert (report.sealed_rows, report.fields, report.proven) == (2, 2, 0)
    assert len(report.erased) == 1
    assert "request" in report.erased[0]
    assert checked(before.content, tmp_path).proven == 2  # what was taken along before is in the hands of who took it


async def test_content_whose_key_is_gone_without_a_word_is_said_to_be_gone(
    journals: Journals, proving: Proofs, database: Database, vault: Vault, org: OrgId, tmp_path: Path
):
    task = await record(journals, org)
    async with database.write(org) as session:
        await vault.shred(session, org, f"task:{task}")

    report = checked((await proving.bundles.build(org, task, Form.CONTENT)).content, tmp_path)

    assert report.proven == 0
    assert "found" in report.erased[0]


async def test_a_head_of_any_later_day_vouches_for_the_bundle(
    journals: Journals, proving: Proofs, database: Database, clock: StoppedClock, org: OrgId, tmp_path: Path
):
    task = await record(journals, org)
    early = await proving.bundles.build(org, task, Form.REDACTED)
    for _ in range(2):
        clock.advance(timedelta(days=1))
        await record(journals, org)
        await proving.sealing.seal(org)
    head = await newest(database, org)

    later = await proving.bundles.build(org, task, Form.REDACTED)

    assert checked(later.content, tmp_path, kept=(head,)).kept_heads == 1
    with pytest.raises(verify.Broken, match="export again"):  # the old bundle knows nothing of that day
        checked(early.content, tmp_path, kept=(head,))


async def test_a_key_that_was_replaced_still_vouches_for_what_it_signed(
    journals: Journals, proving: Proofs, database: Database, org: OrgId, tmp_path: Path
):
    task = await record(journals, org)
    await proving.sealing.seal(org)
    async with database.write(DEPLOYMENT) as session:
        await proving.signing.rotate(session)
    await record(journals, org)
    await proving.sealing.seal(org)
    first, second = await proving.signing.keys()

    bundle = (await proving.bundles.build(org, task, Form.REDACTED)).content

    for key in (first, second):
        assert checked(bundle, tmp_path, pinned=key.line).key_pinned
    assert (first.is_current, second.is_current) == (False, True)
    async with database.read(DEPLOYMENT) as session:
        kept = await session.scalar(text("SELECT count(*) FROM trace_signing_key WHERE private IS NOT NULL"))
    assert kept == 1  # of the former key only what checks is left


async def test_the_key_lies_sealed_and_only_the_operator_replaces_it(settings: Settings):
    async with home(settings) as here:
        system = Principal(org=DEPLOYMENT, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        made = await here.house.commands.perform(RotateSigningKey(principal=system))
        assert made.ordinal == 2
        for principal in (here.owner, Principal(org=here.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)):
            with pytest.raises((Refused, NotFound)):
                await here.house.commands.perform(RotateSigningKey(principal=principal))
        async with here.house.database.read(DEPLOYMENT) as session:
            private = await session.scalar(text("SELECT private FROM trace_signing_key WHERE private IS NOT NULL"))

    assert bytes(private)[:3] == b"JTE"  # a record of the vault
    assert len(private) > 32 + 80


async def test_seals_that_have_gone_with_their_retention_prove_nothing(
    journals: Journals, proving: Proofs, org: OrgId, test_server: TestServer, owner_url: str
):
    task = await record(journals, org)
    await proving.sealing.seal(org)
    superuser = test_server.superuser_url(str(conninfo_to_dict(owner_url)["dbname"]))
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO trace_seal SELECT org_id, retention, day, 7, gen_random_uuid(), 9, head, at FROM trace_seal"
        )
        connection.execute("UPDATE trace_seal SET position = 8 WHERE position = 0")

    with pytest.raises(NotProvable):
        await proving.bundles.build(org, task, Form.REDACTED)


def test_the_verifier_needs_nothing_but_python_and_one_package() -> None:
    tree = ast.parse(Path(verify.__file__).read_text(encoding="utf-8"))
    imported = {
        name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    imported |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


async def test_the_verifier_in_the_bundle_runs_by_itself(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    for name, files in (("good", kept.subject.content), ("bad", {**kept.subject.content, verify.ROWS: b"{}"})):
        bundle = tmp_path / f"{name}.zip"
        bundle.write_bytes(packed(files, kept.subject.signer))
    with zipfile.ZipFile(io.BytesIO(bundle.read_bytes())) as unpacked:
        unpacked.extract("verify.py", tmp_path)
    (tmp_path / "head.txt").write_text(kept.head)

    async def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-I", str(tmp_path / "verify.py"), *arguments]
        child = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
        told, _ = await child.communicate()
        return child.returncode or 0, told.decode()

    good, bad = await asyncio.gather(
        run(str(tmp_path / "good.zip"), "--key", kept.key, "--head", str(tmp_path / "head.txt"), "--json"),
        run(str(tmp_path / "bad.zip")),
    )

    assert good[0] == 0
    assert json.loads(good[1])["intact"] is True
    assert bad[0] == 1
    assert bad[1].startswith("NOT INTACT")
