"""Type, subjects, keywords, registry numbers, funders and related articles of a JATS article.

Input: the article and the metadata of its document. Output: a PublicationRecord with the identifiers that the
article gives. Types of related articles, and what they say of both articles:
https://jats.nlm.nih.gov/publishing/tag-library/1.4d1/attribute/related-article-type.html; registry numbers:
https://jats.nlm.nih.gov/archiving/tag-library/1.3/element/related-object.html (read 2026-11-30).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lxml import etree

from orchestration.parsing.curies import accession_curies, mesh_curies
from orchestration.parsing.jats.front import plain_doi
from orchestration.parsing.jats.front_parts import keywords_of
from orchestration.parsing.jats.parts import parts_text
from orchestration.parsing.publication_record import (
    Accession,
    Funder,
    PublicationRecord,
    RelatedArticle,
    Term,
    identifiers_of,
)
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text, node_text
from orchestration.records import article_curies

__all__ = ["publication_record"]

_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_RELATIONS: Final[Mapping[str, tuple[str, str, bool]]] = {
    "addendum": ("Addendum", "updates", True),
    "commentary": ("Commentary", "comments_on", True),
    "commentary-article": ("Commentary on", "comments_on", False),
    "companion": ("Companion", "accompanies", False),
    "corrected-article": ("Correction of", "corrects", False),
    "correction-forward": ("Correction", "corrects", True),
    "letter": ("Letter", "comments_on", True),
    "object-of-concern": ("Expression of concern about", "raises_concern_about", False),
    "partial-retraction": ("Partial retraction", "retracts", True),
    "retracted-article": ("Retraction of", "retracts", False),
    "retraction-forward": ("Retraction", "retracts", True),
}
"""Words, predicate, and whether the linked article is its subject, by type of the link. The types of other
links differ by publisher: these articles belong together."""
_TYPES_OF_NOTICES: Final = frozenset({"partial-retraction", "retraction"})
_HEADINGS: Final = frozenset({"heading", "article-type", "article type", "overline"})
"""Groups of subjects that name a type of articles or a part of the journal."""

_CODE: Final = re.compile(r"[CDQ]\d{6,9}(?!\d)")
_DOI_AT: Final = re.compile(
    r"^(?:info:doi/|https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S+)$", re.IGNORECASE
)
_BANKS: Final[Mapping[str, str]] = {
    "clinicaltrials.gov": "ClinicalTrials.gov",
    "clintrialgov": "ClinicalTrials.gov",
    "ddbj/embl/genbank": "GENBANK",
    "gen": "GENBANK",
    "genbank": "GENBANK",
    "geo": "GEO",
    "isrctn": "ISRCTN",
    "omim": "OMIM",
    "pdb": "PDB",
    "sra": "SRA",
    "uniprot": "UniProtKB",
    "uniprotkb": "UniProtKB",
}
"""Data banks by the type of a link, as PubMed names them."""


def publication_record(root: etree._Element, metadata: Mapping[str, Any]) -> PublicationRecord:
    """What the article states of itself; articles inside it are not looked at."""
    metas = root.findall("{*}front/{*}article-meta")
    return PublicationRecord(
        identifiers=identifiers_of(metadata),
        is_retracted=bool(metadata.get("is_retracted")),
        types=[Term(kind) for kind in [one_line(root.get("article-type", ""))] if kind],
        headings=[term for meta in metas for term in _subjects(meta)],
        keywords=[term for meta in metas for term in _keywords(meta)],
        accessions=list(_accessions(root)),
        funders=[funder for meta in metas for funder in _funders(meta)],
        related=[article for meta in metas for article in _related(meta, root.get("article-type", ""))],
    )


def _subjects(meta: etree._Element) -> list[Term]:
    """Subjects at all levels, each once; not the headings of the journal."""
    terms: dict[str, Term] = {}
    for group in meta.iterfind("{*}article-categories/{*}subj-group"):
        if group.get("subj-group-type", "").casefold() not in _HEADINGS:
            for subject in group.iter("{*}subject", "{*}compound-subject"):
                name = parts_text(subject)
                terms.setdefault(name, Term(name, _vocabulary_curies(subject)))
    return list(terms.values())


def _keywords(meta: etree._Element) -> list[Term]:
    coded = {
        one_line(node_text(word)): _vocabulary_curies(word)
        for group in meta.iterchildren("{*}kwd-group")
        for word in group.iter("{*}kwd", "{*}compound-kwd")
    }
    return [Term(word, coded.get(word, ())) for word in keywords_of(meta)]


def _vocabulary_curies(term: etree._Element) -> tuple[str, ...]:
    """The MeSH code of a term: 'D001249', or its address."""
    chain = [term, *term.iterancestors("{*}kwd-group", "{*}subj-group")]
    stated = next((each.get("vocab-term-identifier") or "" for each in chain[:1]), "")
    vocabularies = " ".join(each.get(name) or "" for each in chain for name in ("vocab", "vocab-identifier"))
    code = _CODE.search(stated)
    is_mesh = "mesh" in f"{vocabularies} {stated}".casefold()
    return mesh_curies(code[0]) if code and is_mesh else ()


def _accessions(root: etree._Element) -> Iterator[Accession]:
    """Numbers of trials and data banks that the article links, each once."""
    links: dict[tuple[str, str], None] = {}
    for meta in root.findall("{*}front/{*}article-meta"):
        for linked in meta.iterchildren("{*}related-object"):
            if "trial" in f"{linked.get('source-type')} {linked.get('document-id-type')}".casefold():
                links[one_line(linked.get("source-id") or ""), one_line(linked.get("document-id") or "")] = (
                    None
                )
    for link in root.iter("{*}ext-link"):
        bank = _BANKS.get((link.get("ext-link-type") or "").casefold())
        if bank and link.getparent() is not None and next(link.iterancestors("{*}ref"), None) is None:
            href = one_line(link.get(_HREF) or "")
            links[bank, one_line(inline_text(link)) if "/" in href or not href else href] = None
    for bank, number in links:
        yield Accession(bank, number, accession_curies(bank, number))


def _funders(meta: etree._Element) -> Iterator[Funder]:
    """Funders of awards, each once, with their awards; an id of Crossref's registry of funders is a DOI."""
    awards: dict[str, list[str]] = {}
    identifiers: dict[str, tuple[str, ...]] = {}
    for group in meta.iter("{*}award-group"):
        numbers = [one_line(inline_text(number)) for number in group.iterchildren("{*}award-id")]
        for source in group.iterchildren("{*}funding-source"):
            name = parts_text(source, without=("institution-id",))
            ids = [one_line(inline_text(each)) for each in source.iter("{*}institution-id")]
            dois = [plain_doi(each).lower() for each in ids if _DOI_AT.match(each)]
            identifiers.setdefault(name, tuple(f"doi:{doi}" for doi in dict.fromkeys(dois)))
            awards.setdefault(name, []).extend(numbers)
    for name, stated in awards.items():
        yield Funder(name, identifiers[name], tuple(dict.fromkeys(filter(None, stated))))


def _related(meta: etree._Element, article_type: str) -> Iterator[RelatedArticle]:
    for link in meta.iterchildren("{*}related-article"):
        kind = one_line(link.get("related-article-type") or "")
        usual = (f"Related article ({kind})" if kind else "Related article", "accompanies", False)
        label, relation, is_subject = _RELATIONS.get(kind, usual)
        if kind == "partial-retraction" and article_type in _TYPES_OF_NOTICES:
            is_subject = False
        yield RelatedArticle(label, parts_text(link), relation, is_subject, _article_curies(link))


def _article_curies(link: etree._Element) -> tuple[str, ...]:
    """Identifiers of a linked article: of its address, which is a DOI or an id by the type of the link."""
    href = one_line(link.get(_HREF) or "")
    kind = (link.get("ext-link-type") or "").casefold()
    doi = _DOI_AT.match(href)
    stated = {part.get("pub-id-type", ""): one_line(inline_text(part)) for part in link.iter("{*}pub-id")}
    if kind in ("pmid", "pubmed") and href.isdecimal():
        stated.setdefault("pmid", href)
    if kind in ("pmc", "pmcid") and href:
        stated.setdefault("pmcid", href if href.upper().startswith("PMC") else f"PMC{href}")
    return article_curies(
        pmid=stated.get("pmid"), pmcid=stated.get("pmcid"), doi=stated.get("doi") or (doi[1] if doi else None)
    )
