"""medkg in Haystack pipelines: a document store over a data folder, its writer, and the hybrid retriever.

Comes in: Haystack documents, queries and filters. Leaves: stored documents, and hits as documents. Nothing
else in orchestration imports haystack. All three open a data folder on first use, so that pipelines with them
can be serialised to YAML.
"""

from orchestration.haystack.document_store import MedkgDocumentStore
from orchestration.haystack.retriever import HaystackRetriever
from orchestration.haystack.writer import HaystackIndexWriter

__all__ = ["HaystackIndexWriter", "HaystackRetriever", "MedkgDocumentStore"]
