"""The app people chat in: signing in, projects, conversations, files, memory, their own account."""

from joule.web.chat import account, artifacts, conversation, files, memory, projects, sending, signin, streaming

routers = (
    signin.router,
    account.router,
    projects.router,
    conversation.router,
    sending.router,
    streaming.router,
    files.router,
    artifacts.router,
    memory.router,
)
