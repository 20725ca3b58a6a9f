"""The data plane: models in long-lived Ray actors.

Input: documents and texts from the control plane, through `plane`. Output: chunks, vectors and scores. Of the
shipped packages only this one imports ray, torch and sentence-transformers, apart from benchmarks, which
measures them.
"""
