"""Where a module is listed by hand, the list is the house as it stands."""

from joule.cli.policy import ACTIONS, every_action
from joule.cli.privacy import TABLES
from tests.house.source import modules, shown


def named(file: str) -> set[str]:
    return {shown(path).removesuffix(".py").replace("/", ".") for path in modules() if path.name == file}


def test_the_data_map_looks_at_every_module_that_has_tables() -> None:
    assert set(TABLES) == named("tables.py")


def test_policies_are_checked_for_the_actions_of_every_room() -> None:
    assert set(ACTIONS) == named("actions.py")


def test_no_two_actions_have_one_name() -> None:
    names = [action.name for action in every_action()]

    assert len(names) == len(set(names))
    assert all(name.count(".") == 1 for name in names)
