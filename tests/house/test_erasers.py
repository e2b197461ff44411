"""What a table names as its eraser exists: an action anybody can look up, or a sweep that workers run."""

from collections.abc import Callable
from typing import Any

from joule.cli.policy import every_action
from joule.database.keeping import Ends
from joule.identity import upkeep as sessions
from joule.privacy.commitments import commitments
from joule.vault.vault import Vault
from tests.house.source import ROOT
from tests.house.test_keeping import house_tables
from traces.ending import partitions

# What ends rows without being an action of anybody's: each is run by the sweep of a worker, or by an action.
SWEEPS: dict[str, Callable[..., Any]] = {
    "identity.forget_ended": sessions.forget_ended,
    "traces.sweep": partitions.drop_expired,
    "vault.shred": Vault.shred,
}


def test_every_eraser_a_table_names_exists() -> None:
    known = {action.name for action in every_action()} | SWEEPS.keys()
    named = {
        table.name: table.info["keeping"].eraser
        for table in house_tables().tables.values()
        if table.info["keeping"].ends is not Ends.NEVER
    }

    assert {table: eraser for table, eraser in named.items() if eraser not in known} == {}
    assert SWEEPS.keys() <= set(named.values())


def test_every_commitment_is_told_once_and_its_proof_is_there() -> None:
    found = commitments()

    assert len({each.id for each in found}) == len(found) > 100
    for each in found:
        assert bool(each.control) == bool(each.proof), each.id
        if each.proof.startswith("python -m pytest "):
            assert (ROOT / each.proof.split()[-1]).exists(), each.proof
        elif each.proof:
            name = each.proof.removeprefix("joule bench ").replace("-", "_")
            assert (ROOT / "joule" / "bench" / f"{name}.py").exists(), each.proof
