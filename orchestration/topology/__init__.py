"""Pipelines as YAML: what a topology file may say, whether it makes sense, and which version is in use.

Comes in: a folder of YAML files and the names of installed stages and policies. Leaves: checked, ordered
TopologyGraphs, or an error that names file, line, cause and what would be valid. Knows no stage code.
"""
