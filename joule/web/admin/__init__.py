"""The app of owners and admins: members and their sessions, how Joule is set up, what people did by hand."""

from joule.web.admin import audit, members, overview

routers = (members.router, overview.router, audit.router)
