"""Small records and files of every kind, for tests to arrange with; texts are invented here.

Each builder gives something valid and ordinary; arguments change what a test is about. One module per source.
"""

from medkg.testing.builders.chunks import a_chunk, chunks_of
from medkg.testing.builders.clinicaltrials import a_page_of_studies, a_study, study_results
from medkg.testing.builders.documents import TENANT, a_context, a_document, a_payload, json_lines, made_under
from medkg.testing.builders.models import a_shallower_model
from medkg.testing.builders.openalex import an_openalex_page, an_openalex_work
from medkg.testing.builders.pdfs import a_converted_pdf, a_pdf_block
from medkg.testing.builders.pmc import a_pmc_article, a_pmc_set, an_article
from medkg.testing.builders.pubmed import a_correction, a_pubmed_article, a_pubmed_set, an_abstract

__all__ = [
    "TENANT",
    "a_chunk",
    "a_context",
    "a_converted_pdf",
    "a_correction",
    "a_document",
    "a_page_of_studies",
    "a_payload",
    "a_pdf_block",
    "a_pmc_article",
    "a_pmc_set",
    "a_pubmed_article",
    "a_pubmed_set",
    "a_shallower_model",
    "a_study",
    "an_abstract",
    "an_article",
    "an_openalex_page",
    "an_openalex_work",
    "chunks_of",
    "json_lines",
    "made_under",
    "study_results",
]
