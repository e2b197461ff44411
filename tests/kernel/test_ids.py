"""Ids tell when they were minted and nothing else, and sort in that order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid1, uuid4

import pytest

from joule.kernel.ids import minted_at, new_id


def test_ids_of_one_process_sort_in_the_order_they_were_minted():
    ids = [new_id() for _ in range(5_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_an_id_tells_the_millisecond_it_was_minted():
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    minted = minted_at(new_id())

    assert before <= minted <= datetime.now(UTC) + timedelta(milliseconds=1)
    assert minted_at(UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_an_id_is_a_plain_uuid_of_version_seven():
    minted = new_id()

    assert type(minted) is UUID
    assert (minted.version, minted.variant) == (7, "specified in RFC 4122")


@pytest.mark.parametrize("other", [uuid1(), uuid4()])
def test_an_id_of_another_kind_tells_no_time(other: UUID):
    with pytest.raises(ValueError, match="version 7"):
        minted_at(other)
