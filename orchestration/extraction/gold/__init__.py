"""Gold for extraction: annotated documents in PubTator, BioC (XML, JSON) and JSON Lines.

Input: files. Output: annotated documents whose offsets are right, and a fault with file and line for each
document that is left out. A file that cannot be read as any of the formats raises UsageError.
"""

from orchestration.extraction.gold.documents import gold_document
from orchestration.extraction.gold.drafts import GoldFault
from orchestration.extraction.gold.files import Gold, read_gold
from orchestration.extraction.gold.naming import Naming

__all__ = ["Gold", "GoldFault", "Naming", "gold_document", "read_gold"]
