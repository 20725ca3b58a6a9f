"""medkg in Haystack pipelines: a document store over a data folder, its writer, and the hybrid retriever.

Comes in: Haystack documents, queries and filters. Leaves: documents that are kept, and documents found.
Nothing else in orchestration imports haystack. All three open a data folder when they are first used, so a
pipeline with them is kept as YAML.
"""

from orchestration.haystack.document_store import MedkgDocumentStore
from orchestration.haystack.retriever import HaystackRetriever
from orchestration.haystack.writer import HaystackIndexWriter

__all__ = ["HaystackIndexWriter", "HaystackRetriever", "MedkgDocumentStore"]
