"""Pipelines as YAML: the fields of topology files, their validation, and the version in use.

Comes in: a folder of YAML files and the names of installed stages and policies. Leaves: checked, ordered
TopologyGraphs, or an error that names file, line, cause and the valid values. Knows no stage code.
"""
