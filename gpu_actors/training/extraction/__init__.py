"""Training of an extractor: `medkg train-extractor`.

Input: annotated documents and an `ExtractorRecipe`. Output: a folder that the encoder extractor takes, with
its card. The way: gold.py -> rows.py -> batches.py -> network.py (sequence.py, pairs.py) -> fitting.py ->
measures.py -> calibration.py -> export.py, card.py; `making.py` walks it. Only `recipe.py` and `making.py`
are for others to import. Why it is built so: docs/decisions/0034-encoder-extractor.md.
"""
