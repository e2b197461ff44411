"""The JSON API under `/api/v1`: what the pages can do, for programs. Errors are `{"error": {code, message, advice}}`."""

from joule.web.api import files, memory, projects, tasks

routers = (projects.router, tasks.router, files.router, memory.router)
