"""Abstracts of PubMed: the parser plugins `pubmed-xml` and `pubmed-jsonl`.

Comes in: a set of citations as XML, or abstracts as JSON. Leaves: record locations and Documents. `text`
writes the parts of an abstract for both parsers; the other modules read the fields of the XML.
"""

from orchestration.parsing.pubmed.jsonl_parser import PubmedJsonlParser
from orchestration.parsing.pubmed.xml_parser import PubmedXmlParser

__all__ = ["PubmedJsonlParser", "PubmedXmlParser"]
