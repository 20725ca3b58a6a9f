"""Engines for the cpu profile's dense model over the same token rows: `python -m benchmarks.peers.engines`.

Comes in: abstracts. Leaves: speed, cosine to fp32 and, for int8, retrieval quality of each engine. Each is a
module here that offers `layouts` and `load` (contract.Engine) and runs in its own process (worker.py),
so that none shares threads or memory with another, in medkg's environment or in that of `make engines`.
"""
