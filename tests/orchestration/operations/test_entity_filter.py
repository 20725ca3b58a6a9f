"""The filter `--entity`: documents that mention a concept, whatever key or name stands for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.graph_published import publish
from orchestration.contracts import Alias, Ledger
from orchestration.errors import UsageError
from orchestration.ledger import open_ledger
from orchestration.operations.entity_filter import documents_about
from orchestration.operations.parts import Parts
from orchestration.vocabularies.folder import VocabularyFolder

About = Callable[..., set[str]]
VOCABULARY = """id\tname\tsynonyms\tkinds\tparents\txrefs
MESH:D010146\tPain\tAche\tCondition\t\t
MESH:D006261\tHeadache\tCephalalgia\tCondition\tMESH:D010146\t
MESH:D001241\tAspirin\tAcetylsalicylic acid\tDrug\t\tCHEBI:15365
MESH:D004342\tDrug Hypersensitivity\t\tCondition\t\t
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")) as opened:
        publish(opened, "1", [("aspirin", "treats", "headache")])
        publish(opened, "2", [("acetylsalicylic acid", "treats", "fever")])
        publish(opened, "3", [("ibuprofen", "treats", "pain")])
        yield opened


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def about(tmp_path: Path, ledger: Ledger, notes: list[str]) -> About:
    vocabularies = VocabularyFolder(tmp_path / "vocabularies")
    parts = SimpleNamespace(ledger=ledger, vocabularies=vocabularies, settings=SimpleNamespace(tenant=TENANT))

    def ask(*entities: str) -> set[str]:
        return {key.doc_id for key in documents_about(cast(Parts, parts), entities, notes.append)}

    return ask


@pytest.fixture
def vocabulary(tmp_path: Path) -> None:
    (tmp_path / "mesh.tsv").write_text(VOCABULARY, encoding="utf-8")
    VocabularyFolder(tmp_path / "vocabularies").add(tmp_path / "mesh.tsv")


def test_a_key_or_a_name_in_any_case(about: About) -> None:
    assert about("MESH:D001241") == about("mesh:D001241") == about("Aspirin") == {"1"}
    assert about("TOY:ibuprofen") == {"3"}


def test_several_entities_are_all_mentioned(about: About) -> None:
    assert about("aspirin", "headache") == {"1"}
    assert about("aspirin", "fever") == set()


def test_what_an_alias_makes_the_same(about: About, ledger: Ledger) -> None:
    ledger.aliases.add(TENANT, Alias.of("CHEBI:15365", "MESH:D001241", "manual"))
    assert about("aspirin") == about("CHEBI:15365") == {"1", "2"}


@pytest.mark.usefixtures("vocabulary")
def test_what_vocabularies_have_below_it_or_make_the_same(about: About) -> None:
    assert about("MESH:D010146") == about("ache") == {"1", "3"}, "a headache is a pain"
    assert about("MESH:D006261") == about("cephalalgia") == {"1"}
    assert about("MESH:D001241") == about("CHEBI:15365") == {"1", "2"}


@pytest.mark.usefixtures("vocabulary")
def test_an_entity_that_nothing_mentions_is_reported_and_an_unknown_name_refused(
    about: About, notes: list[str]
) -> None:
    assert about("MESH:D004342") == set()
    assert notes == ["--entity MESH:D004342: no document mentions it, nor anything below it in a vocabulary"]
    with pytest.raises(UsageError, match="unheard of: no concept of the graph or of a vocabulary"):
        about("unheard of")
    with pytest.raises(UsageError, match="empty"):
        about(" ")
