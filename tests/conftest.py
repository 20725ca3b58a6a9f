"""What holds for every test."""

from __future__ import annotations

from orchestration.settings import send_no_usage_reports

send_no_usage_reports()
