"""A folder of NLM's baseline and update files, from the files to the ledger, on two successive runs."""

from __future__ import annotations

from pathlib import Path

from medkg.testing.builders import TENANT, a_pubmed_article, a_pubmed_set
from medkg.testing.ledger_suite.builders import a_job, a_key, claimed, commit_all, counts
from orchestration.contracts import DocumentCounts, SourceRequest
from orchestration.ledger import open_ledger
from orchestration.parsing.pubmed import PubmedXmlParser
from orchestration.sources.files import FilesSource

DELETION = b'<DeleteCitation><PMID Version="1">11</PMID></DeleteCitation>'


def test_the_newest_record_stands_and_deletions_are_counted_on_every_run(tmp_path: Path) -> None:
    folder = tmp_path / "ftp"
    folder.mkdir()
    before, gone = a_pubmed_article("10", title="Of hemp."), a_pubmed_article("11")
    (folder / "pubmed26n0001.xml").write_bytes(a_pubmed_set(before, gone))
    newest = a_pubmed_article("10", title="Of nylon.")
    (folder / "pubmed26n1335.xml").write_bytes(a_pubmed_set(newest, DELETION))
    source = FilesSource({"pubmed-xml": PubmedXmlParser()}, 10**6)
    items = list(source.enumerate(SourceRequest(plugin="files", paths=(str(folder),))))
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")

    first = a_job(ledger, *items)
    commit_all(ledger, claimed(ledger, first))
    second = a_job(ledger, *items, job_id="job-2")

    assert counts(ledger, first) == DocumentCounts(total=4, committed=1, skipped=3, superseded=2, deleted=1)
    assert counts(ledger, second) == DocumentCounts(total=4, skipped=4, superseded=2, deleted=1)
    commit = ledger.commits.find(a_key("10"))
    assert commit is not None and commit.version == items[2].version
    assert ledger.documents.find(TENANT, doc_id="11") == []
    old_file = SourceRequest(plugin="files", paths=(str(folder / "pubmed26n0001.xml"),))
    third = a_job(ledger, *list(source.enumerate(old_file))[:1], job_id="job-3")
    assert counts(ledger, third) == DocumentCounts(total=1, skipped=1, superseded=1)
    ledger.close()
