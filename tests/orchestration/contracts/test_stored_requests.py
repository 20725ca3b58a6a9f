"""Requests and keys of syncs that ledgers hold as JSON read back under the names that were written."""

from __future__ import annotations

import json

from orchestration.contracts import SourceRequest, Submission, SyncKey

SUBMISSION = (
    '{"job_id":"j","tenant_id":"t","pipeline_name":"auto","pipeline_version":"1","topology_hash":"h",'
    '"request":{"source":"pubmed","paths":[],"query":"EGFR","limit":null,"resync":false},'
    '"window_size":5,"attended":true,"lister":""}'
)
SYNC_KEY = (
    '{"tenant_id":"t","pipeline_name":"auto","fingerprint":"f","source":"pubmed",'
    '"origin":"https://pubmed.example","query":"EGFR","limit":null}'
)


def test_a_stored_submission_reads_back_with_the_plugin_of_its_request() -> None:
    submission = Submission.model_validate_json(SUBMISSION)
    assert submission.request == SourceRequest(plugin="pubmed", query="EGFR")
    written = json.loads(submission.model_dump_json())
    assert written["request"].pop("mirror") is False, "newer than that row"
    assert written.pop("traceparent") == "", "newer than that row"
    assert written == json.loads(SUBMISSION)


def test_a_stored_sync_is_found_by_the_same_json() -> None:
    key = SyncKey.model_validate_json(SYNC_KEY)
    assert key.plugin == "pubmed"
    assert key.model_dump_json() == SYNC_KEY
