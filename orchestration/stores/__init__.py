"""The embedded stores: chunks findable by words, vectors, parsed documents; and the dual write over them.

Each implements a protocol of orchestration.contracts and passes its conformance suite; servers slot in
behind the same ones. What is visible is not theirs to say: readers hold it against the commit table.
"""
