"""The app of owners and admins: members and sessions, connected accounts, how Joule is set up, who reads what was said,
and what people did by hand."""

from joule.web.admin import (
    access,
    audit,
    data_use,
    integrations,
    members,
    overview,
    policy,
    proof,
    retention,
    sandbox_rules,
    sandboxes,
    verifying,
    what_if,
)

routers = (
    members.router,
    overview.router,
    data_use.router,
    sandboxes.router,
    sandbox_rules.router,
    retention.router,
    audit.router,
    verifying.router,
    proof.router,
    access.router,
    what_if.router,
    policy.router,
    *integrations.routers,
)
