"""Dagster's log lines of runs in the shape of all others.

Comes in: what Dagster logs while it executes a run. Leaves: lines through the standard library's root logger.
Dagster writes to a coloured console unless each run's config names another logger, so its default is
replaced.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from dagster import InitLoggerContext, LoggerDefinition
from dagster._core.execution import context_creation_job

__all__ = ["log_runs_as_lines"]


def log_runs_as_lines() -> None:
    """Have the runs of this process log through the root logger; warnings and errors alone."""
    definition = LoggerDefinition(_run_logger)

    def default_loggers(_: object) -> Sequence[tuple[LoggerDefinition, Mapping[str, object]]]:
        return [(definition, {})]

    vars(context_creation_job)["default_system_loggers"] = default_loggers  # private, so a test reads the log


def _run_logger(_: InitLoggerContext) -> logging.Logger:
    logger = logging.getLogger("dagster.run")
    logger.setLevel(max(logging.getLogger().level, logging.WARNING))
    return logger
