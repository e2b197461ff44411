"""The app of support: find a task by its id, see what it did and when, replay it; see whether connections work. Never what was said."""

from joule.web.support import connections, pages

routers = (pages.router, connections.router)
