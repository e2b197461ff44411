"""What the audit log's actions are called, and in which groups they are looked for. Pure."""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, kw_only=True)
class Group:
    """Actions that are looked for together; % stands for whatever follows."""

    word: str
    title: str
    actions: tuple[str, ...]


# The first group that fits is the one an action is shown under.
GROUPS = (
    Group(
        word="reads",
        title="Support reads and replays",
        actions=("traces.read_content", "traces.export_%", "traces.export", "replay.%"),
    ),
    Group(
        word="access",
        title="Access to content",
        actions=("traces.%_access", "traces.%break_glass"),
    ),
    Group(
        word="sign_ins",
        title="Sign-ins and sessions",
        actions=(
            "identity.sign_%",
            "identity.end_%",
            "identity.issue_sign_in_link",
            "identity.set_password",
            "identity.change_address",
        ),
    ),
    Group(
        word="members",
        title="Members",
        actions=(
            "identity.invite_person",
            "identity.change_role",
            "identity.deactivate_person",
            "identity.rename_%",
            "identity.found_organisation",
        ),
    ),
    Group(word="connections", title="Connected accounts", actions=("integrations.%",)),
    Group(word="policy", title="Policy", actions=("policies.%", "governance.%", "rules.%")),
    Group(
        word="erasures",
        title="Erasures, holds and retention",
        actions=(
            "privacy.%",
            "memory.delete_%",
            "memory.erase_%",
            "memory.forget_item",
            "memory.sweep",
            "tasks.delete_thread",
            "tasks.forget_project",
            "sandbox.delete_artifact",
            "traces.sweep%",
            "traces.forget%",
        ),
    ),
    Group(
        word="consent",
        title="Data use",
        actions=("memory.%training%", "memory.set_masking", "memory.switch_memory"),
    ),
    Group(
        word="proof",
        title="Proof and keys",
        actions=("traces.%head%", "traces.%seal%", "traces.%verif%", "traces.rotate%", "traces.%delivery%", "vault.%"),
    ),
    Group(word="work", title="Work", actions=("tasks.%", "memory.%", "sandbox.%", "llm.%")),
)
BY_WORD = {group.word: group for group in GROUPS}


def group_of(action: str) -> Group | None:
    """Where an action belongs; None for one that no group names."""
    return next(
        (group for group in GROUPS if any(fnmatchcase(action, each.replace("%", "*")) for each in group.actions)), None
    )


def words_of(action: str) -> str:
    """`identity.sign_in_with_link` → `Sign in with link`."""
    return action.partition(".")[2].replace("_", " ").capitalize() or action


def safe_cell(value: str) -> str:
    """A value for a table program: one that would be taken for a formula is made text."""
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
