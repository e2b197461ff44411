"""How this Joule is set up, in words: no secret is shown."""

from fastapi import APIRouter
from starlette.responses import Response

from joule.kernel.settings import Settings
from joule.llm import queries as llm
from joule.web.access import Here, SettingsReader
from joule.web.chat.views import Fact
from joule.web.shell import is_offline, shell_of
from joule.web.wording import spend

router = APIRouter(prefix="/admin")


@router.get("/settings")
async def page(web: Here, person: SettingsReader) -> Response:
    """The overview."""
    now = web.house.clock.now()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/settings")
        usage = await llm.usage_of_organisation(session, person.org, since=month, until=now)
    used = (
        Fact(name="Model calls this month", value=f"{usage.calls} ({usage.failed} failed)"),
        Fact(name="Tokens this month", value=f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"),
        Fact(name="Spend this month", value=spend(usage.spend_micros)),
    )
    groups = (
        {"title": "Model", "facts": (*_model(web.settings, offline=is_offline(web)), *used)},
        {"title": "Tasks", "facts": _tasks(web.settings)},
        {"title": "Privacy", "facts": _privacy(web.settings)},
        {"title": "Sessions", "facts": _sessions(web.settings)},
    )
    return web.templates.page("admin/settings.html", shell=shell, groups=groups)


def _model(settings: Settings, *, offline: bool) -> tuple[Fact, ...]:
    if offline:
        return (Fact(name="Model", value="Offline model: no AI provider is connected and nothing leaves this machine"),)
    return (
        Fact(name="Model", value=settings.llm.name),
        Fact(name="Server", value=settings.llm.base_url or "the provider's own address"),
        Fact(name="Longest answer", value=f"{settings.llm.max_output_tokens:,} tokens"),
    )


def _tasks(settings: Settings) -> tuple[Fact, ...]:
    task = settings.task
    return (
        Fact(name="Steps in a task", value=f"at most {task.max_steps}"),
        Fact(name="Tokens in a task", value=f"at most {task.max_tokens:,}"),
        Fact(name="Spend in a task", value=spend(task.max_spend_micros) if task.max_spend_micros else "no limit"),
        Fact(name="Time for a task", value=f"at most {task.max_seconds} seconds"),
        Fact(name="Tasks at the same time", value=f"{task.per_organisation} in this organisation"),
        Fact(name="Largest upload", value=f"{settings.web.max_upload_mb} MB"),
    )


def _privacy(settings: Settings) -> tuple[Fact, ...]:
    return (
        Fact(name="Training", value="Denied unless an owner allows it under Data use, class by class."),
        Fact(name="Steps can be read for", value="as long as Retention says"),
        Fact(name="Keys are wrapped by", value="AWS KMS" if settings.vault.kms_key else "the local key file"),
    )


def _sessions(settings: Settings) -> tuple[Fact, ...]:
    return (
        Fact(name="A session ends", value=f"after {settings.web.session_idle_hours} hours without use"),
        Fact(name="and in any case", value=f"after {settings.web.session_max_days} days"),
    )
