"""Training of a sparse model: `medkg train-sparse`.

Input: parsed documents and a `Recipe`. Output: a folder that MEDKG_SPARSE_MODEL takes, with its card. The
way: corpus (windows.py, corpus.py, pairs.py) -> teacher.py -> head.py -> expansion.py -> export.py ->
held_out.py -> card.py; `making.py` walks it. Only `recipe.py` and `making.py` are for others to import.
Sources: SPLADE v2, arXiv:2109.10086; distillation, arXiv:2205.04733. Why it is built so:
docs/decisions/0015-train-sparse.md.
"""
