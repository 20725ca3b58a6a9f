"""What the environment says about traces: the standard OTEL_* variables, read without OpenTelemetry.

Comes in: environment variables. Leaves: whether spans are wanted, and what keeps them from being sent.
Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Final

__all__ = ["tracing_problem", "wants_traces"]

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SUPPORTED: Final = "http/protobuf"
EXPORTER: Final = "opentelemetry.exporter.otlp.proto.http"


def wants_traces() -> bool:
    """Whether an endpoint is set, and neither the SDK nor its exporter of traces is switched off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return any(os.environ.get(name) for name in ENDPOINTS)


def tracing_problem() -> str | None:
    """Why the spans that the environment asks for cannot be sent; None: no reason, or none are wanted."""
    if not wants_traces():
        return None
    protocol = next((os.environ[name] for name in PROTOCOLS if os.environ.get(name)), SUPPORTED)
    if protocol != SUPPORTED:
        return (
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}, and medkg sends {SUPPORTED} alone. Unset it, and "
            "let the endpoint be the collector's port for HTTP, mostly 4318."
        )
    if not _is_installed(EXPORTER):
        return (
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the exporter is not installed, so no traces are sent: "
            "pip install 'medkg[otel]', or unset the variable."
        )
    return None


def _is_installed(module: str) -> bool:
    """Whether the module can be found; imports no part of it but the namespaces above it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
