"""Stores on an OpenSearch cluster: chunks by words and sparse terms, and dense vectors by k-NN."""
