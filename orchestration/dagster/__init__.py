"""Dagster's side of medkg: topologies as jobs, stages as ops, windows as runs. Only importer of dagster.

`definitions` is what the Dagster UI loads; `host` is the long-lived process of a data folder; the rest
is the way from a topology to a run in a warm worker. Importing it imports neither torch nor ray.
"""
