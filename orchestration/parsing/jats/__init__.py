"""Articles in JATS, of PMC and of publishers: the parser plugin `jats` and what it reads with.

Comes in: an article or a set of them. Leaves: record locations, Documents, links to PDFs. `parser` is the
plugin; `front` and its neighbours read metadata, `articles` and `body` the text, `references` the lists of
citations.
"""

from orchestration.parsing.jats.parser import JatsParser

__all__ = ["JatsParser"]
