"""The one table of permissions: every role and permission is decided here a second time, by hand."""

import pytest

from joule.identity.permissions import TABLE, Permission, allowed, governs
from joule.kernel.principal import Role

# owner, admin, member, support, anonymous, system
MATRIX = {
    Permission.SIGN_IN: "yes yes yes yes yes no",
    Permission.ACCOUNT: "yes yes yes yes no no",
    Permission.CHAT: "yes yes yes no no no",
    Permission.FILES: "yes yes yes no no no",
    Permission.KNOWLEDGE: "yes yes yes no no no",
    Permission.MEMORY: "yes yes yes no no no",
    Permission.MEMBERS: "yes yes no no no yes",
    Permission.SETTINGS: "yes yes no no no no",
    Permission.INTEGRATIONS: "yes yes no no no no",
    Permission.CONNECTION_HEALTH: "yes yes no yes no yes",
    Permission.SUPPORT_TIMELINE: "yes yes no yes no yes",
    Permission.CONTENT_ACCESS: "yes yes no no no no",
    Permission.SUPPORT_CONTENT: "yes yes no yes no no",
    Permission.SUPPORT_REPLAY: "yes yes no yes no yes",
}
ROLES = (Role.OWNER, Role.ADMIN, Role.MEMBER, Role.SUPPORT, Role.ANONYMOUS, Role.SYSTEM)


def test_every_role_and_every_permission_is_decided() -> None:
    assert set(MATRIX) == set(Permission)
    assert set(TABLE) == set(Role) == set(ROLES)


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
def test_the_table_says_what_was_agreed(role: Role, permission: Permission) -> None:
    assert allowed(role, permission) is (MATRIX[permission].split()[ROLES.index(role)] == "yes")


def test_support_reads_no_content() -> None:
    content = {Permission.CHAT, Permission.FILES, Permission.KNOWLEDGE, Permission.MEMORY}

    assert not any(allowed(role, each) for role in (Role.SUPPORT, Role.SYSTEM, Role.ANONYMOUS) for each in content)


def test_nobody_governs_or_becomes_the_system() -> None:
    assert not any(governs(role, other) for role in Role for other in (Role.SYSTEM, Role.ANONYMOUS))
    assert not any(governs(Role.ADMIN, other) for other in (Role.ADMIN, Role.OWNER))
