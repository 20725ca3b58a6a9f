"""The graph of one tenant: questions, aliases and exports.

Input: the parts of a data folder. Output: records and JSON values. `reading` answers questions, `evidence`
shows claims in their documents, `mappings` reads aliases from files; exports have a module per format.
"""

from orchestration.operations.graph.reading import Graph

__all__ = ["Graph"]
