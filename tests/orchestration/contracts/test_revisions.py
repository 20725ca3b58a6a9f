"""Which revision of the same content is recorded."""

from __future__ import annotations

import pytest

from orchestration.contracts.revisions import UNKNOWN, is_newer


@pytest.mark.parametrize(
    ("revision", "committed", "newer"),
    [
        ("2", "1", True),
        ("1", "2", False),
        ("1", "1", False),
        ("1|2020", "1|", False),  # what is committed does not state the part that differs
        ("1", None, True),
        ("1", UNKNOWN, True),
        (UNKNOWN, None, False),
        (UNKNOWN, "1", False),
        (None, "1", False),
    ],
)
def test_a_revision_is_recorded_if_it_is_newer_or_the_first_that_is_known(
    revision: str | None, committed: str | None, newer: bool
) -> None:
    assert is_newer(revision, committed) is newer
