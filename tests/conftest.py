"""What holds for every test."""

from __future__ import annotations

import signal

from orchestration.settings import send_no_usage_reports

send_no_usage_reports()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
