"""Stores: chunks that words find, vectors and parsed documents, in files, OpenSearch or S3; the dual write.

Each implements a protocol of orchestration.contracts and passes its conformance suite. A store does not
decide what is visible: readers check entries against the commit table.
"""
