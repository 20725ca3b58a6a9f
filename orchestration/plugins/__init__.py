"""Plugins by entry point, and how a worker process makes the stage that it runs."""
