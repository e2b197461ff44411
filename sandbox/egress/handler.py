"""Performs what can be done about the way out of sandboxes."""

from collections.abc import Mapping
from typing import Any

from joule.database.engine import WriteSession
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import Invalid
from joule.kernel.handler import Method
from joule.kernel.ids import new_id
from joule.kernel.permit import Admission, Permit
from joule.vault.vault import Vault
from sandbox.egress import _echo, asking, places, queries
from sandbox.egress.actions import ListOutsideHost, ReachOut, RemoveOutsideHost
from sandbox.egress.errors import PlaceRefused
from sandbox.egress.passing import Passing
from sandbox.egress.results import HostListed, HostUnlisted, Reached
from sandbox.tables import OutsideHostRow


class EgressHandler:
    """The only way to pass a request of code on, and to choose what may be reached."""

    def __init__(self, *, admission: Admission, vault: Vault, clock: Clock, passing: Passing) -> None:
        self._admission, self._vault, self._clock, self._passing = admission, vault, clock, passing

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            ReachOut: self.reach_out,
            ListOutsideHost: self.list_outside_host,
            RemoveOutsideHost: self.remove_outside_host,
        }

    async def reach_out(self, permit: Permit, action: ReachOut) -> Reached:
        self._admission.admit(permit, action)
        return await self._passing.passed(action)

    async def list_outside_host(self, permit: Permit, action: ListOutsideHost, session: WriteSession) -> HostListed:
        self._admission.admit(permit, action)
        org = action.principal.org
        place = places.place(action.host, action.port, loopback=self._passing.loopback)
        header, secret = _attached(action)
        keyring = await self._vault.keyring(session, org, create=True)
        if await queries.listed(session, keyring, place) is not None:
            raise PlaceRefused("it is on the list already; take it off first to change its secret")
        if await queries.how_many(session, org) >= queries.MOST:
            raise PlaceRefused(f"there are {queries.MOST} already")
        host = new_id()
        session.add(
            OutsideHostRow(
                org_id=org,
                id=host,
                name=keyring.seal_text(place.host, row=host, field=queries.NAME),
                name_key=queries.key_of(keyring, place),
                port=place.port,
                header=None if header is None else keyring.seal_text(header, row=host, field=queries.HEADER),
                secret=None if secret is None else keyring.seal_text(secret, row=host, field=queries.SECRET),
                added_by=action.principal.person,
                added_at=self._clock.now(),
                decision_id=permit.decision,
            )
        )
        await session.flush()
        return HostListed(host=host)

    async def remove_outside_host(
        self, permit: Permit, action: RemoveOutsideHost, session: WriteSession
    ) -> HostUnlisted:
        self._admission.admit(permit, action)
        row = await session.get(OutsideHostRow, (action.principal.org, action.host))
        if row is not None:
            await session.delete(row)
        return HostUnlisted(host=action.host)


def _attached(action: ListOutsideHost) -> tuple[str | None, str | None]:
    """The header and the secret in it. Raises `Invalid` for one without the other."""
    header, secret = action.header.strip(), "" if action.secret is None else action.secret.get_secret_value().strip()
    if not header and not secret:
        return None, None
    if not asking.is_header(header) or not asking.is_value(secret) or len(secret) < _echo.SHORTEST:
        raise Invalid(
            "the secret cannot be attached",
            advice="Name a header such as Authorization and give its whole value, such as Bearer and the key.",
        )
    return header, secret
