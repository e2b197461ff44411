"""Who may see and do what on the pages: the one table of permissions.

Queries are guarded by this table; actions are judged by policy, and a route needs both. What the table does not say is
not allowed. Support sees what happened and when. What was said it reads only where an organisation has granted it, task
by task; `SUPPORT_CONTENT` opens the pages for asking, the grant is looked for at every read.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from joule.kernel.principal import Role


class Permission(StrEnum):
    """One kind of page or list. Each route names exactly one."""

    SIGN_IN = "sign_in"  # the sign-in page and the pages that need nobody
    ACCOUNT = "account"  # one's own name, password and sessions
    CHAT = "chat"  # projects, threads, messages and tasks, with their content
    FILES = "files"  # files of a project, with their content
    KNOWLEDGE = "knowledge"  # documents of a project, with their content
    MEMORY = "memory"  # what is remembered, with its content
    MEMBERS = "members"  # the organisation's people, their roles and their sessions
    SETTINGS = "settings"  # how the organisation is set up
    INTEGRATIONS = "integrations"  # providers, connected accounts, what they may do; connecting and revoking
    CONNECTION_HEALTH = "connection_health"  # whether connections work: no account, no scope, no token
    SUPPORT_TIMELINE = "support_timeline"  # what a task did and when: names of steps, decisions, times; no content
    CONTENT_ACCESS = "content_access"  # who may read what was said in tasks: requests, grants, reads
    SUPPORT_CONTENT = "support_content"  # asking for content, and reading it under a grant: each read is journalled
    SUPPORT_REPLAY = "support_replay"  # re-running a task against its record: identical or not; no content


_WORK = frozenset({Permission.CHAT, Permission.FILES, Permission.KNOWLEDGE, Permission.MEMORY})
_OFFICE = frozenset({Permission.MEMBERS, Permission.SETTINGS, Permission.INTEGRATIONS, Permission.CONTENT_ACCESS})
_SUPPORT = frozenset({Permission.SUPPORT_TIMELINE, Permission.SUPPORT_REPLAY, Permission.CONNECTION_HEALTH})
_ANYBODY = frozenset({Permission.SIGN_IN})
_SIGNED_IN = _ANYBODY | {Permission.ACCOUNT}

TABLE: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.OWNER: _SIGNED_IN | _WORK | _SUPPORT | _OFFICE | {Permission.SUPPORT_CONTENT},
        Role.ADMIN: _SIGNED_IN | _WORK | _SUPPORT | _OFFICE | {Permission.SUPPORT_CONTENT},
        Role.MEMBER: _SIGNED_IN | _WORK,
        Role.SUPPORT: _SIGNED_IN | _SUPPORT | {Permission.SUPPORT_CONTENT},
        Role.ANONYMOUS: _ANYBODY,
        Role.SYSTEM: _SUPPORT | {Permission.MEMBERS},  # the operator's command line: no content
    }
)

_GOVERNED: Mapping[Role, frozenset[Role]] = MappingProxyType(
    {
        Role.SYSTEM: frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER, Role.SUPPORT}),
        Role.OWNER: frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER, Role.SUPPORT}),
        Role.ADMIN: frozenset({Role.MEMBER, Role.SUPPORT}),
    }
)


def allowed(role: Role, permission: Permission) -> bool:
    """Whether somebody in `role` may open pages under `permission`. Nothing is allowed by omission."""
    return permission in TABLE.get(role, frozenset())


def governs(role: Role, other: Role) -> bool:
    """Whether `role` may invite, change, sign in or remove somebody in the role `other`.

    An admin governs members and support, never admins or owners: else a sign-in link would make an owner of an admin.
    """
    return other in _GOVERNED.get(role, frozenset())
