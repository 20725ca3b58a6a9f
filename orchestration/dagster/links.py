"""Links from a window's run in the Dagster UI to its trace and its log lines.

Comes in: the templates of the settings, and the ids of a run. Leaves: metadata for the run's page.
"""

from __future__ import annotations

from dagster import MetadataValue, UrlMetadataValue

from orchestration.settings import Settings
from orchestration.tracing import trace_ids

__all__ = ["run_links"]


def run_links(settings: Settings, window_id: str, job_id: str) -> dict[str, UrlMetadataValue]:
    """`trace` and `logs`, as far as there are templates for them and, for the first, a trace."""
    ids = trace_ids()
    trace_id = ids[0] if ids is not None else ""
    templates = {"trace": settings.trace_url_template, "logs": settings.log_url_template}
    return {
        name: MetadataValue.url(
            template.replace("{trace_id}", trace_id).replace("{window}", window_id).replace("{job}", job_id)
        )
        for name, template in templates.items()
        if template is not None and (trace_id or "{trace_id}" not in template)
    }
