"""What happens to a graph over time, and everything that it then holds.

A `GraphHistory` is a folder of trials and articles with its windows, vocabularies and aliases. Its methods do
what commands do; `run` brings the graph up to date. `whole_graph` is all that the ledger has of it, without
numbers and intents, and what every export and reader makes of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, text

from medkg.testing.builders import (
    a_correction,
    a_pubmed_article,
    a_pubmed_set,
    a_study,
    an_article,
    an_openalex_work,
)
from orchestration.contracts import Alias
from orchestration.operations.data_folder import DataFolder
from orchestration.records import local_concept
from tests.orchestration.runs.window_folder import WindowFolder
from tests.orchestration.vocabularies.builders import FRUITS, a_table

CONDITIONS: Final = ("Insomnia", "Apple Disease", "Malus disorder")


def _trial(number: int, condition: str) -> bytes:
    interventions = {"interventions": [{"type": "DRUG", "name": "Pearazole"}]}
    conditions = {"conditions": [condition]}
    study = a_study(f"NCT{number:08}", conditionsModule=conditions, armsInterventionsModule=interventions)
    return json.dumps(study).encode()


def _article(condition: str) -> bytes:
    return a_pubmed_set(
        a_pubmed_article("10000001", f"<AbstractText>{condition} in NCT00000001.</AbstractText>")
    )


def _notice(condition: str) -> bytes:
    retracts = a_correction("RetractionOf", "10000001")
    return a_pubmed_set(
        a_pubmed_article(
            "10000009", title=f"Retraction: {condition}.", types=["Retraction Notice"], corrections=[retracts]
        )
    )


def _fulltext(condition: str) -> bytes:
    ids = "".join(
        f'<article-id pub-id-type="{kind}">{number}</article-id>'
        for kind, number in (("pmc", "1234567"), ("pmid", "10000001"))
    )
    return an_article(f"<sec><title>Results</title><p>{condition} in NCT00000002.</p></sec>", ids=ids)


def _work(condition: str) -> bytes:
    return json.dumps(an_openalex_work(1, title=f"Walking and {condition}")).encode()


RECORDS: Final[Mapping[str, Callable[[str], bytes]]] = {
    "trial-1.json": lambda condition: _trial(1, condition),
    "trial-2.json": lambda condition: _trial(2, condition),
    "article.xml": _article,
    "notice.xml": _notice,
    "fulltext.xml": _fulltext,
    "work.json": _work,
}
"""Files with a document each, by what they say of a condition."""

VOCABULARIES: Final = {
    "fruits": FRUITS,
    "other fruits": (FRUITS[0], ("MONDO:1", "Apple Disease", "Malus disorder", "Condition", "")),
}
"""Contents of the vocabulary `fruits`."""

KEYS: Final = (
    "MESH:D1",
    "MONDO:1",
    local_concept("Condition", "Insomnia"),
    local_concept("Condition", "Apple Disease"),
    local_concept("Condition", "Malus disorder"),
    "NCT:NCT00000001",
)
"""Keys that concepts have, depending on the vocabulary."""


class GraphHistory:
    """Trials and articles of one tenant, and what is done to them."""

    def __init__(self, folder: Path, ledger_url: str | None, tenant: str) -> None:
        self.windows = WindowFolder(folder, ledger_url, topology="auto", tenant=tenant)
        for left in self.windows.trials.iterdir():
            left.unlink()
        self._folder = folder
        self.tenant = tenant

    @property
    def data_folder(self) -> DataFolder:
        return DataFolder(self.windows.assembly)

    # --- what is done -------------------------------------------------------------------------------

    def put(self, name: str, condition: str) -> None:
        (self.windows.trials / name).write_bytes(RECORDS[name](condition))

    def delete(self, name: str, *, erase: bool = False) -> None:
        """Delete or erase the document of a file, and the file, so that it is not listed again."""
        path = self.windows.trials / name
        if not path.exists():
            return
        path.unlink()
        documents = self.data_folder.documents
        rows = self.windows.assembly.ledger.documents.find(self.tenant, origin=str(path))
        if erase:
            documents.erase(rows, lambda message: None)
        else:
            documents.delete(rows)

    def extract_with(self, version: str) -> None:
        """Install another version of the registry extractor."""
        self.windows.versions["registry"] = version
        self.windows.reopen()

    def add_vocabulary(self, name: str) -> None:
        table = a_table(self._folder / "vocabulary.tsv", VOCABULARIES[name])
        self.windows.assembly.vocabularies.add(table, name="fruits")
        self.windows.reopen()

    def remove_vocabulary(self) -> None:
        if self.windows.assembly.vocabularies.names():
            self.windows.assembly.vocabularies.remove("fruits")
            self.windows.reopen()

    def merge(self, from_key: str, to_key: str) -> None:
        """An alias as a file of mappings states it, so that no circle is refused."""
        alias = Alias.of(from_key, to_key, "skos:exactMatch", "keys.sssom.tsv")
        self.windows.assembly.ledger.aliases.put(self.tenant, [alias])

    def undo(self, alias: Alias) -> None:
        self.windows.assembly.ledger.aliases.remove(self.tenant, alias_id=alias.alias_id)

    def aliases(self) -> list[Alias]:
        return self.windows.assembly.ledger.aliases.entries(self.tenant)

    def run(self) -> None:
        """Process the documents that are listed, as far as they changed."""
        self.windows.reopen()
        self.windows.run()

    def made_again(self, folder: Path, ledger_url: str | None) -> GraphHistory:
        """The same documents, extractor, vocabularies and aliases in an empty folder and ledger."""
        again = GraphHistory(folder, ledger_url, self.tenant)
        for path in sorted(self.windows.trials.iterdir(), reverse=True):
            (again.windows.trials / path.name).write_bytes(path.read_bytes())
        again.windows.versions |= self.windows.versions
        if self.windows.assembly.vocabularies.names():
            again.windows.assembly.vocabularies.add(self._folder / "vocabulary.tsv", name="fruits")
        again.run()
        again.windows.assembly.ledger.aliases.put(self.tenant, self.aliases()[::-1])
        return again

    # --- what there is ------------------------------------------------------------------------------

    def whole_graph(self, exports: Path) -> dict[str, Any]:
        """Rows without numbers, exports by file, and answers of readers."""
        return {**self._rows(), **self._exports(exports), **self._answers()}

    def _rows(self) -> dict[str, Any]:
        engine = create_engine(self.windows.settings.ledger_url)
        try:
            with engine.connect() as connection:
                return {
                    name: sorted(repr(tuple(row)) for row in connection.execute(text(query)))
                    for name, query in ROWS.items()
                }
        finally:
            engine.dispose()

    def _exports(self, folder: Path) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for name in ("kgx", "nquads", "jsonld", "graphml", "parquet"):
            exported = self.data_folder.graph.export(folder / name, name, lambda *_: None)
            assert exported.without_text == []
            files |= {f"{name}/{file}": (folder / name / file).read_bytes() for file in exported.files}
        return files

    def _answers(self) -> dict[str, Any]:
        graph = self.windows.assembly.ledger.graph
        concepts = graph.concepts(self.tenant, limit=1000)
        return {
            "counts": graph.counts(self.tenant),
            "concepts by documents": concepts,
            "neighbours": {each.concept: graph.neighbours(self.tenant, each.concept) for each in concepts},
            "conflicts": graph.conflicts(self.tenant, limit=1000),
            "proposals": graph.proposals(self.tenant, limit=1000),
        }


_OF_DOCUMENT: Final = "JOIN graph_documents d ON d.number = r.document_number"

ROWS: Final = {
    "documents": "SELECT source, doc_id, visible, entity_count, claim_count, title, year, study_type,"
    " retracted FROM graph_documents",
    "commits": "SELECT source, doc_id, version, fingerprint, parse_fingerprint, graph_fingerprint,"
    " pipeline, chunk_count, entity_count, claim_count FROM commits",
    "identifiers": f"SELECT source, doc_id, identifier FROM graph_identifiers r {_OF_DOCUMENT}",
    "notices": f"SELECT source, doc_id, identifier FROM graph_notices r {_OF_DOCUMENT}",
    "mentions": "SELECT source, doc_id, entity_id, concept, kind, name, start_char, end_char, identifiers,"
    f" confidence, extraction FROM graph_mentions r {_OF_DOCUMENT}",
    "claims": "SELECT source, doc_id, claim_id, subject, subject_concept, predicate, object, object_concept,"
    f" negated, direction, confidence, record FROM graph_claims r {_OF_DOCUMENT}",
    "orphans": " UNION ALL ".join(
        f"SELECT '{name}', document_number FROM {name} WHERE document_number NOT IN"
        " (SELECT number FROM graph_documents)"
        for name in ("graph_mentions", "graph_claims", "graph_identifiers", "graph_notices")
    ),
    "names": "SELECT concept, kind, name, folded, mentions FROM graph_names",
    "concepts": "SELECT concept, kind, name, documents, mentions FROM graph_concepts",
    "aliases": "SELECT from_key, to_key, rule, origin FROM graph_aliases",
    "canonical": "SELECT key, canonical FROM graph_canonical",
}
"""All that a ledger with one tenant has of its graph; only numbers, intents and times are left out."""


@contextmanager
def opened_history(folder: Path, ledger_url: str | None, tenant: str) -> Iterator[GraphHistory]:
    folder.mkdir(parents=True, exist_ok=True)
    history = GraphHistory(folder, ledger_url, tenant)
    try:
        yield history
    finally:
        history.windows.close()
