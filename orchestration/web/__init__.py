"""The web: files that records link to.

Comes in: URLs and limits. Leaves: bytes on disk, or errors that say whether to try again. Nothing else in
orchestration opens a connection to a host that is not one of its own stores.
"""
