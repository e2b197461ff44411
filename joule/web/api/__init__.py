"""The JSON API under `/api/v1`: what the pages can do, for programs. Errors are `{"error": {code, message, advice}}`."""

from joule.web.api import files, knowledge, memory, projects, tasks

routers = (projects.router, tasks.router, files.router, knowledge.router, memory.router)
