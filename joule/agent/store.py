"""Lets other LangGraph agents use Joule's memory: LangGraph's `BaseStore`, every operation of which is asked of the gate.

An adapter and nothing more: what it keeps is sealed, labelled, walled off and erased like everything else, and what it
reads makes the label of whatever its agent does next stricter. Where memory is switched off it is empty.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    validate_op_namespace,
)

from joule.agent.tools import Bench
from joule.kernel.errors import Refused
from memory.entries.actions import (
    DeleteEntry,
    GetEntry,
    ListNamespaces,
    Match,
    Pattern,
    PutEntry,
    SearchEntries,
)
from memory.entries.results import Entry


class GateStore(BaseStore):
    """A project's entries, as one task may use them.

    Raises what the gate raises: `Refused`, or `ApprovalNeeded` where a person must agree first, as for values that were
    made from untrusted text. Values live until they are deleted: there is no time to live.
    """

    supports_ttl = False
    __slots__ = ("_bench",)

    def __init__(self, *, bench: Bench) -> None:
        """`bench`: the gate, for whom and where, and the label of all that was read so far."""
        self._bench = bench

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """From a thread of its own; in the loop itself use `abatch`."""
        if asyncio._get_running_loop() is self._bench.loop:
            raise Refused("store", reason="a store is awaited, never called in passing")
        return asyncio.run_coroutine_threadsafe(self.abatch(ops), self._bench.loop).result()

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """In the order given, but for what is put: that is kept last, and of two under one key the later."""
        given = list(ops)
        for each in given:
            validate_op_namespace(each)
            if isinstance(each, PutOp) and each.namespace[:1] in ((), ("langgraph",)):
                raise InvalidNamespaceError(f"not a namespace that can be put to: {each.namespace}")
        puts: dict[tuple[tuple[str, ...], str], PutOp] = {}
        results: list[Result] = []
        for each in given:
            if isinstance(each, PutOp):
                puts[each.namespace, each.key] = each
                results.append(None)
            else:
                results.append(await self._read(each))
        for put in puts.values():
            await self._put(put)
        return results

    async def _put(self, op: PutOp) -> None:
        if op.value is None:
            await self._ask(DeleteEntry, namespace=op.namespace, key=op.key)
            return
        value = json.dumps(dict(op.value), ensure_ascii=False)
        await self._ask(PutEntry, namespace=op.namespace, key=op.key, value=value)

    async def _read(self, op: Op) -> Result:
        if isinstance(op, GetOp):
            found = await self._ask(GetEntry, namespace=op.namespace, key=op.key)
            return next((Item(**_fields(each)) for each in found.entries), None)
        if isinstance(op, SearchOp):
            found = await self._ask(
                SearchEntries,
                prefix=op.namespace_prefix,
                filter=json.dumps(op.filter or {}, ensure_ascii=False),
                query=op.query or "",
                limit=op.limit,
                offset=op.offset,
            )
            return [SearchItem(**_fields(each)) for each in found.entries]
        if isinstance(op, ListNamespacesOp):
            patterns = tuple(
                Pattern(match=Match(each.match_type), labels=tuple(each.path)) for each in op.match_conditions or ()
            )
            found = await self._ask(
                ListNamespaces, patterns=patterns, max_depth=op.max_depth, limit=op.limit, offset=op.offset
            )
            return list(found.namespaces)
        raise ValueError(f"not an operation of a store: {type(op).__name__}")

    async def _ask(self, kind: Any, **fields: Any) -> Any:
        bench = self._bench
        action = kind(principal=bench.principal, project=bench.project, label=bench.label, **fields)
        found = await bench.gate.perform(action, call=bench.next_loose_call())
        read = getattr(found, "entries", None) or getattr(found, "namespaces", None)
        if read and hasattr(found, "label"):
            bench.label = bench.label.join(found.label)
        return found


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "namespace": entry.namespace,
        "key": entry.key,
        "value": json.loads(entry.value),
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
    }
