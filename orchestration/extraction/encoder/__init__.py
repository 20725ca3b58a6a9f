"""The encoder extractor: drugs and conditions in running text, and which drug causes which condition.

Input: documents. Output: mentions and claims by a small trained model on the plane. `passages` selects what
is read, `agreement` makes a document's mentions consistent, `statements` turns relations into claims with the
sentences that state them, `cues` finds negation and speculation, `quantities` doses, times and populations.
"""

from orchestration.extraction.encoder.extractor import EncoderExtractor

__all__ = ["EncoderExtractor"]
