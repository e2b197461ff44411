"""The app of owners and admins: members and their sessions, connected accounts, how Joule is set up, what people
did by hand."""

from joule.web.admin import audit, data_use, integrations, members, overview, sandbox_rules, sandboxes

routers = (
    members.router,
    overview.router,
    data_use.router,
    sandboxes.router,
    sandbox_rules.router,
    audit.router,
    *integrations.routers,
)
