"""Checks that the rows of a task are the rows that were written, in order and without a gap.

Pure: needs neither key nor database. A chain alone cannot show that its end was cut off or that all of it was written
anew by an insider; that takes a head somebody else keeps.
"""

import hashlib
import json
from collections.abc import Iterable

from traces.errors import ChainBroken
from traces.records import GENESIS, Record, leaf


def verify(
    records: Iterable[Record], *, expected_head: bytes | None = None, expected_length: int | None = None
) -> bytes:
    """The hash of the last row. Raises `ChainBroken` at the first row that is not what was written.

    Content that has been erased (its field is absent) is not an error: the head still commits to it.
    """
    previous, count = GENESIS, 0
    for record in records:
        head = json.loads(record.head)
        if leaf(record.head) != record.hash:
            raise ChainBroken(count, "the head was altered")
        if head["seq"] != count or record.seq != count or head["prev"] != previous.hex():
            raise ChainBroken(count, "a row is missing, added or out of order")
        for name, sealed in record.sealed.items():
            said = head["content"].get(name)
            if said is None or said["ct"] != hashlib.sha256(sealed).hexdigest():
                raise ChainBroken(count, "sealed content was altered")
        previous, count = record.hash, count + 1
    if expected_length is not None and count != expected_length:
        raise ChainBroken(count, "rows are missing at the end")
    if expected_head is not None and previous != expected_head:
        raise ChainBroken(count, "the last row is not the one that was written last")
    return previous
