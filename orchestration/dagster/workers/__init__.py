"""Warm window workers: processes that execute window runs, and the pool that the host keeps."""
