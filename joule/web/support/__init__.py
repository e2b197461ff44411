"""The app of support: find a task by its id, see what it did and when, replay it. Never what was said."""

from joule.web.support import pages

routers = (pages.router,)
