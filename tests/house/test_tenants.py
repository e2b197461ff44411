"""No table and no page lets one organisation reach another's rows."""

from joule.bench._ground import ground
from joule.bench.tenants import cross


async def test_nothing_of_another_organisation_can_be_read_or_changed() -> None:
    async with ground() as here:
        found = await cross(here)

    assert found.tables >= 28
    assert found.endpoints >= 95
    assert found.foreign == []
    assert found.controls_missed == 0  # positive control: their own owner is shown what ours was not
