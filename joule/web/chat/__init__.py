"""The app people chat in: signing in, projects, conversations, files, memory, their own account."""

from joule.web.chat import (
    account,
    artifacts,
    conversation,
    files,
    knowledge,
    memory,
    permitting,
    projects,
    sending,
    signin,
    streaming,
)

routers = (
    signin.router,
    account.router,
    projects.router,
    conversation.router,
    sending.router,
    permitting.router,
    streaming.router,
    files.router,
    *knowledge.routers,
    artifacts.router,
    memory.router,
)
