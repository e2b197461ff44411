"""The app of support: find a task, see what it did and when, replay it, compare it; see whether connections work.

What was said is shown only to whom the organisation has granted it, after the read has been written into its own log.
"""

from joule.web.support import access, connections, pages, replaying, searching

routers = (searching.router, pages.router, access.router, replaying.router, connections.router)
