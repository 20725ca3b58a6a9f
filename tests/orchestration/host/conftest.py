"""The settings, instance and worker pool of the tests of orchestration.dagster, for the host's tests."""

from __future__ import annotations

from tests.orchestration.dagster.conftest import folder, instance, settings, start_pool

__all__ = ["folder", "instance", "settings", "start_pool"]
