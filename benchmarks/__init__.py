"""Measurements: ratios in one run against a named peer, with hardware and versions, into results/.

Not tests: nothing here fails because a machine is slow. `python -m benchmarks` lists and runs them.
"""
