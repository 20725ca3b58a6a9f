"""The data plane: models in long-lived Ray actors. The only importer of ray, torch and sentence-transformers.

Comes in: documents and texts from the control plane, through `plane`. Leaves: chunks and vectors.
"""
