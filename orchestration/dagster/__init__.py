"""Dagster's side of medkg: topologies as jobs, stages as ops, windows as runs. Only importer of dagster.

`definitions` is what the code server and the window workers load: jobs (`compile`), assets and checks
(`assets`, `checks`, `reports`), sensors and schedules. `instance` opens Dagster's storage of a data folder,
`launcher` hands runs to the host, `workers` executes them. Importing it imports neither torch nor ray.
"""
