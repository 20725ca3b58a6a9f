"""Works of OpenAlex: the parser plugin `openalex`.

Input: works as JSON. Output: record locations, Documents, and links to PDFs. `works` reads title, abstract
and metadata; `record` what a work states of itself: type, MeSH headings, topics, funders, referenced works.
"""

from orchestration.parsing.openalex.works import UNVERSIONED, OpenAlexParser, in_order

__all__ = ["UNVERSIONED", "OpenAlexParser", "in_order"]
