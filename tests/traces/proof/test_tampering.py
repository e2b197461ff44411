"""What an auditor holds in the hand: untouched it holds, touched anywhere it does not."""

from pathlib import Path

import pytest

from joule.bench._tampered import Tampering, bundle_of, packed
from joule.bench._tampering import TAMPERINGS
from tests.traces.proof.conftest import Kept
from traces import verify


@pytest.mark.parametrize("form", ["redacted", "sealed", "content", "earlier", "other"])
def test_an_untouched_bundle_holds(kept: Kept, tmp_path: Path, form: str) -> None:
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(packed(getattr(kept.subject, form), kept.subject.signer))

    report = verify.check(bundle, pinned=kept.key)

    assert report.sealed_rows == report.rows > 0
    assert report.sealed_until
    assert report.decisions == {"deny": report.rows}
    assert report.policies == ["ab" * 32]
    assert report.ciphertexts == (report.fields if form == "sealed" else 0)
    assert report.proven == (report.fields if form == "content" else 0)


def test_a_head_that_was_kept_agrees_with_the_log_it_is_of(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(packed(kept.subject.redacted, kept.subject.signer))

    assert verify.check(bundle, kept=[kept.head]).kept_heads == 1


@pytest.mark.parametrize("each", TAMPERINGS, ids=lambda each: each.name)
def test_every_tampering_is_found(kept: Kept, tmp_path: Path, each: Tampering) -> None:
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(bundle_of(each, kept.subject))

    if each.kept:  # nothing in the bundle itself is wrong: whoever wrote it holds the key
        verify.check(bundle, pinned=kept.key)
    with pytest.raises(verify.Broken) as found:
        verify.check(bundle, pinned=kept.key, kept=[kept.head] if each.kept else [])

    assert found.value.where.startswith(each.where)


def test_another_installations_bundle_is_found_by_a_key_got_elsewhere(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(packed(kept.subject.redacted, kept.subject.signer))

    with pytest.raises(verify.Broken, match="none of this installation's"):
        verify.check(bundle, pinned=kept.key[:-4] + "AAA=")


@pytest.mark.parametrize("junk", [b"", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_bundle_is_said_to_be_none(tmp_path: Path, junk: bytes) -> None:
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(junk)

    with pytest.raises(verify.Broken):
        verify.check(bundle)
