"""Small records and files of every kind, for tests to arrange with; texts are invented here.

Each builder gives something valid and ordinary; arguments change what a test is about.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchestration.contracts import ConvertedPdf, PdfBlock, PdfBlockKind, PdfCell, PdfPage
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import (
    BlockKind,
    Chunk,
    Document,
    Fingerprints,
    PageBox,
    RawPayload,
    StageContext,
    chunk_id,
    content_version,
)

TENANT = "default"


def made_under(index: str = "f1") -> Callable[[object, str], Fingerprints]:
    """Gives documents of every topology and format these fingerprints."""
    return lambda topology, document_format: Fingerprints("p1", index)


def a_context(
    doc_id: str = "NCT00000001",
    *,
    tenant_id: str = TENANT,
    source: str = "clinicaltrials",
    version: str = "v" * 64,
    fingerprint: str = "f" * 64,
    revision: str | None = None,
) -> StageContext:
    of_revision = {"revision": revision} if revision is not None else {}
    return StageContext(
        tenant_id=tenant_id,
        job_id="job-1",
        doc_id=doc_id,
        correlation_id=f"correlation-{doc_id}",
        metadata={"source": source, "version": version, "fingerprint": fingerprint, **of_revision},
        pipeline_name="auto",
        pipeline_version="2025-01-01",
    )


def a_payload(
    content: bytes | str | dict[str, Any],
    format: str,
    *,
    doc_id: str = "doc-1",
    source: str = "files",
    uri: str = "/corpus/record",
) -> RawPayload:
    if isinstance(content, dict):
        content = json.dumps(content)
    data = content.encode() if isinstance(content, str) else content
    return RawPayload(
        doc_id=doc_id, source=source, format=format, content=data, uri=uri, version=content_version(data)
    )


def a_document(
    doc_id: str = "doc-1",
    *,
    title: str = "Effects of walking on sleep",
    sections: dict[str, Sequence[str]] | None = None,
    source: str = "files",
    tenant_id: str = TENANT,
    version: str = "",
) -> Document:
    """A document of headings and paragraphs."""
    parts = sections or {
        "Background": ["Adults sleep less than they wish.", "Walking is cheap."],
        "Results": ["Walkers slept 32 minutes longer (95% CI 12 to 52)."],
    }
    builder = DocumentBuilder()
    builder.title(title)
    for heading, paragraphs in parts.items():
        with builder.section(heading):
            for paragraph in paragraphs:
                builder.block(BlockKind.PARAGRAPH, paragraph)
    payload = a_payload(repr((title, parts)), "text", doc_id=doc_id, source=source)
    if version:
        payload = payload.model_copy(update={"version": version})
    return builder.build(payload, tenant_id, _Written())


class _Written:
    format = "written"
    version = "1"


def a_chunk(
    document: Document | None = None, *, ordinal: int = 0, start: int = 0, end: int | None = None
) -> Chunk:
    """A chunk of `document`: characters `start` to `end`."""
    document = document or a_document()
    body = document.text[start:end]
    return Chunk(
        chunk_id=chunk_id(document.source, document.doc_id, document.version, ordinal),
        doc_id=document.doc_id,
        tenant_id=document.tenant_id,
        version=document.version,
        ordinal=ordinal,
        body=body,
        title_path=(document.title,),
        section="",
        start_char=start,
        end_char=start + len(body),
        block_ids=(),
        token_count=max(1, len(body.split())),
        granularity="chunk",
        chunker="written",
        chunker_version="1",
    )


def a_study(nct_id: str | None = "NCT00000001", **modules: dict[str, Any]) -> dict[str, Any]:
    """A study of ClinicalTrials.gov v2 without results; `modules` replace or add protocol modules."""
    identification = {"briefTitle": "Walking for better sleep", "officialTitle": "A randomised walking trial"}
    protocol: dict[str, Any] = {
        "identificationModule": ({"nctId": nct_id} if nct_id else {}) | identification,
        "statusModule": {
            "overallStatus": "COMPLETED",
            "startDateStruct": {"date": "2019-03", "type": "ACTUAL"},
        },
        "descriptionModule": {"briefSummary": "Does walking help adults to sleep?"},
        "conditionsModule": {"conditions": ["Insomnia"], "keywords": ["walking"]},
        "designModule": {"studyType": "INTERVENTIONAL", "phases": ["NA"], "enrollmentInfo": {"count": 80}},
        "outcomesModule": {
            "primaryOutcomes": [{"measure": "Sleep duration", "timeFrame": "12 weeks"}],
            "secondaryOutcomes": [{"measure": "Mood", "description": "By questionnaire"}],
        },
        "eligibilityModule": {
            "eligibilityCriteria": "Inclusion Criteria:\n\n* Age \\>= 18 years\n\n"
            "Exclusion Criteria:\n\n* Night shifts",
            "sex": "ALL",
        },
    }
    return {"protocolSection": protocol | modules, "hasResults": False}


def a_page_of_studies(*studies: dict[str, Any], next_page_token: str = "KV5sq") -> bytes:
    """A page of ClinicalTrials.gov's listing of studies."""
    page = {"totalCount": len(studies), "studies": studies, "nextPageToken": next_page_token}
    return json.dumps(page).encode()


def study_results(title: str = "Sleep duration") -> dict[str, Any]:
    """A resultsSection with one table of each kind."""
    groups = [{"id": "G0", "title": "Walking"}, {"id": "G1", "title": "Usual care"}]
    return {
        "participantFlowModule": {
            "groups": groups,
            "periods": [
                {
                    "title": "Overall Study",
                    "milestones": [
                        {
                            "type": "STARTED",
                            "achievements": [
                                {"groupId": "G0", "numSubjects": "40"},
                                {"groupId": "G1", "numSubjects": "39"},
                            ],
                        }
                    ],
                }
            ],
        },
        "outcomeMeasuresModule": {
            "outcomeMeasures": [
                {
                    "type": "PRIMARY",
                    "title": title,
                    "unitOfMeasure": "minutes",
                    "paramType": "MEAN",
                    "groups": groups,
                    "classes": [
                        {
                            "categories": [
                                {
                                    "measurements": [
                                        {"groupId": "G0", "value": "452", "spread": "31"},
                                        {"groupId": "G1", "value": "420", "spread": "29"},
                                    ]
                                }
                            ]
                        }
                    ],
                }
            ]
        },
        "adverseEventsModule": {
            "eventGroups": [
                {"id": "G0", "title": "Walking", "seriousNumAffected": 1, "seriousNumAtRisk": 40},
                {"id": "G1", "title": "Usual care", "seriousNumAffected": 0, "seriousNumAtRisk": 39},
            ],
            "seriousEvents": [
                {
                    "term": "Ankle fracture",
                    "organSystem": "Injuries",
                    "stats": [{"groupId": "G0", "numAffected": 1, "numAtRisk": 40}],
                }
            ],
        },
    }


def an_abstract(pmid: str | int | None = "10000001", **fields: Any) -> dict[str, Any]:
    """A PubMed-style JSON record."""
    record = {
        "pmid": pmid,
        "title": "Walking and sleep",
        "year": "2020",
        "mesh": ["Sleep", "Walking"],
        "sections": [
            {"label": "METHODS", "text": "We followed 80 adults for 12 weeks."},
            {"label": "RESULTS", "text": "Walkers slept longer."},
        ],
    } | fields
    return {key: value for key, value in record.items() if value is not None}


def an_openalex_work(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A work in the shape of OpenAlex' API, with a copy at its journal and one in a repository."""
    journal = {
        "is_oa": True,
        "landing_page_url": f"https://doi.org/10.5555/walks.{number}",
        "pdf_url": f"https://walks.example/articles/{number}.pdf",
        "source": {"id": "https://openalex.org/S1", "display_name": "Journal of Walks", "type": "journal"},
        "license": "cc-by-nc",
        "license_id": "https://openalex.org/licenses/cc-by-nc",
        "version": "publishedVersion",
    }
    repository = journal | {
        "landing_page_url": f"https://repository.example/{number}",
        "pdf_url": f"https://repository.example/{number}/full.pdf",
        "source": None,
        "license": None,
        "version": "acceptedVersion",
    }
    return {
        "id": f"https://openalex.org/W{number}",
        "doi": f"https://doi.org/10.5555/walks.{number}",
        "title": "Walking and <i>sleep</i>",
        "display_name": "Walking and <i>sleep</i>",
        "publication_year": 2020,
        "publication_date": "2020-05-04",
        "ids": {
            "openalex": f"https://openalex.org/W{number}",
            "doi": f"https://doi.org/10.5555/walks.{number}",
            "pmid": f"https://pubmed.ncbi.nlm.nih.gov/{10000000 + number}",
            "pmcid": f"https://www.ncbi.nlm.nih.gov/pmc/articles/{7000000 + number}",
        },
        "language": "en",
        "primary_location": journal,
        "type": "article",
        "open_access": {"is_oa": True, "oa_status": "hybrid", "oa_url": journal["pdf_url"]},
        "authorships": [
            {
                "author_position": "first",
                "author": {"id": "https://openalex.org/A1", "display_name": "Ann Walker"},
                "institutions": [{"id": "https://openalex.org/I1", "display_name": "University of Hills"}],
                "raw_author_name": "A. Walker",
            }
        ],
        "cited_by_count": 3,
        "is_retracted": False,
        "is_paratext": False,
        "topics": [{"id": "https://openalex.org/T1", "display_name": "Sleep and exercise", "score": 0.9}],
        "keywords": [{"id": "https://openalex.org/keywords/walking", "display_name": "Walking"}],
        "mesh": [
            {"descriptor_ui": "D012890", "descriptor_name": "Sleep", "qualifier_name": "physiology"},
            {"descriptor_ui": "D012890", "descriptor_name": "Sleep", "qualifier_name": None},
        ],
        "locations": [journal, repository],
        "best_oa_location": journal,
        "abstract_inverted_index": {"Walkers": [0], "slept": [1, 4], "longer": [2], "and": [3], "well.": [5]},
        "related_works": [],
        "counts_by_year": [{"year": 2021, "cited_by_count": 3}],
        "updated_date": "2020-06-01T00:00:00",
    } | fields


def an_openalex_page(*works: dict[str, Any], next_cursor: str | None = "Ik5leHQi") -> bytes:
    """A page of the works listing by cursor."""
    meta = {"count": len(works), "page": None, "per_page": 200, "next_cursor": next_cursor}
    return json.dumps({"meta": meta, "results": works, "group_by": []}).encode()


def json_lines(records: Sequence[Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def an_article(
    body: str = "<sec><title>Methods</title><p>We walked.</p></sec>",
    *,
    ids: str = '<article-id pub-id-type="pmc">1234567</article-id>',
    title: str = "Walking and sleep",
    abstract: str = "<p>Walking helps.</p>",
    back: str = "",
    meta: str = "",
    extra: str = "",
    doctype: str = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) v1.0//EN" "JATS.dtd">',
) -> bytes:
    """A JATS article; `body` and `back` are the XML in those elements, `meta` more of its article-meta.

    `extra` stands behind the back matter.
    """
    return f"""<?xml version="1.0" encoding="UTF-8"?>
{doctype}
<article article-type="research-article" xmlns:mml="http://www.w3.org/1998/Math/MathML"
 xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:ali="http://www.niso.org/schemas/ali/1.0/">
<front><journal-meta><journal-title>Journal of Walks</journal-title></journal-meta>
<article-meta>{ids}<title-group><article-title>{title}</article-title></title-group>
<contrib-group><contrib contrib-type="author"><name><surname>Walker</surname><given-names>Ann</given-names>
</name></contrib></contrib-group><pub-date pub-type="epub"><year>2020</year></pub-date>
{meta}<abstract>{abstract}</abstract></article-meta></front>
<body>{body}</body><back>{back}</back>{extra}</article>""".encode()


def a_pmc_set(*articles: bytes) -> bytes:
    """What efetch gives for some articles of PMC: without their own prologs, in one set."""
    inside = b"\n".join(article[article.index(b"<article") :] for article in articles or (an_article(),))
    doctype = b'<!DOCTYPE pmc-articleset PUBLIC "-//NLM//DTD ARTICLE SET 2.0//EN" "nlm-articleset-2.0.dtd">'
    return b'<?xml version="1.0"?>\n' + doctype + b"\n<pmc-articleset>" + inside + b"</pmc-articleset>\n"


def a_pmc_article(number: str, title: str = "Walking and sleep") -> bytes:
    """An article as an element of a set."""
    ids = f'<article-id pub-id-type="pmc">{number}</article-id>'
    return an_article(ids=ids, title=title, doctype="").partition(b"?>")[2].strip()


def a_pubmed_article(
    pmid: str | None = "10000002",
    abstract: str = '<AbstractText Label="METHODS">We walked.</AbstractText>',
    title: str = "Walking and sleep.",
    types: Sequence[str] = ("Journal Article",),
    corrections: Sequence[str] = (),
) -> bytes:
    """One PubmedArticle element; `corrections` are its CommentsCorrections, see `a_correction`."""
    listed = "".join(f"<PublicationType>{name}</PublicationType>" for name in types)
    corrected = f"<CommentsCorrectionsList>{''.join(corrections)}</CommentsCorrectionsList>"
    identifier = f'<PMID Version="1">{pmid}</PMID>' if pmid else ""
    return (
        f"<PubmedArticle><MedlineCitation>{identifier}<Article><Journal><JournalIssue><PubDate>"
        f"<Year>2020</Year></PubDate></JournalIssue><Title>Journal of Walks</Title></Journal>"
        f"<ArticleTitle>{title}</ArticleTitle>"
        f"<Abstract>{abstract}</Abstract><PublicationTypeList>{listed}</PublicationTypeList></Article>"
        f"{corrected if corrections else ''}</MedlineCitation></PubmedArticle>"
    ).encode()


def a_correction(kind: str, pmid: str | None = None, source: str = "J Walks. 2021;2:9.") -> str:
    """A CommentsCorrections element: what another publication has to do with this one."""
    identifier = f'<PMID Version="1">{pmid}</PMID>' if pmid else ""
    return (
        f'<CommentsCorrections RefType="{kind}"><RefSource>{source}</RefSource>{identifier}'
        "</CommentsCorrections>"
    )


def a_pubmed_set(*articles: bytes) -> bytes:
    inside = b"\n".join(articles or (a_pubmed_article(),))
    return b'<?xml version="1.0" ?>\n<PubmedArticleSet>\n' + inside + b"\n</PubmedArticleSet>\n"


def a_pdf_block(
    text: str,
    kind: PdfBlockKind = PdfBlockKind.PARAGRAPH,
    *,
    page_no: int = 1,
    also_on: Sequence[int] = (),
    rows: Sequence[Sequence[str]] = (),
    **fields: Any,
) -> PdfBlock:
    """A block of a converted PDF, with a box on each of its pages; `rows` are a table's cells."""
    boxes = tuple(
        PageBox(page_no=page, left=72, top=72, right=540, bottom=90) for page in (page_no, *also_on)
    )
    cells = tuple(tuple(PdfCell(text=cell) for cell in row) for row in rows)
    return PdfBlock(kind=kind, text=text, boxes=boxes, rows=cells, **fields)


def a_converted_pdf(*blocks: PdfBlock, pages: int = 1, title: str = "") -> bytes:
    """What a converter gives for a PDF of A4 pages."""
    return (
        ConvertedPdf(
            converter="text-layer",
            converter_version="1",
            title=title,
            pages=tuple(PdfPage(page_no=number, width=595, height=842) for number in range(1, pages + 1)),
            blocks=blocks,
        )
        .model_dump_json()
        .encode()
    )


def chunks_of(
    *bodies: str,
    doc_id: str = "doc-1",
    source: str = "files",
    tenant_id: str = TENANT,
    version: str = "v" * 64,
    title: str = "",
    section: str = "",
) -> list[Chunk]:
    """A document's chunks with these words, one after the other."""
    start, chunks = 0, []
    for ordinal, body in enumerate(bodies):
        chunks.append(
            Chunk(
                chunk_id=chunk_id(source, doc_id, version, ordinal),
                doc_id=doc_id,
                tenant_id=tenant_id,
                version=version,
                ordinal=ordinal,
                body=body,
                title_path=(title,),
                section=section,
                start_char=start,
                end_char=start + len(body),
                block_ids=(),
                token_count=max(1, len(body.split())),
                granularity="chunk",
                chunker="written",
                chunker_version="1",
            )
        )
        start += len(body) + 1
    return chunks


def a_shallower_model(folder: Path, to: Path) -> Path:
    """A copy of a model that leaves its last layer out, so that it gives other vectors."""
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text())
    config["num_hidden_layers"] -= 1
    (to / "config.json").write_text(json.dumps(config))
    return to
