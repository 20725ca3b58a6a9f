"""`medkg jobs`: listed with state, age and account, and cancelled with and without a host."""

from __future__ import annotations

import pytest

from medkg.testing.ledger_suite.builders import OWNER
from orchestration.assembly import open_data_folder
from orchestration.contracts import StageReport
from orchestration.settings import load_settings
from tests.orchestration.command_line import Medkg


def test_jobs_are_listed_with_request_state_age_and_account(medkg: Medkg, abstracts: str) -> None:
    job_id = medkg("submit", "auto", "--path", abstracts)["job_id"]
    (job,) = medkg("jobs", "list")["jobs"]
    assert (job["job_id"], job["state"], job["source"], job["paths"]) == (
        job_id,
        "open",
        "files",
        [abstracts],
    )
    assert (job["in"], job["pending"], job["committed"]) == (3, 3, 0)
    assert 0 <= job["age_seconds"] < 600
    assert medkg("jobs", "list", "--state", "done")["jobs"] == []
    assert job_id[:8] in medkg.text("jobs", "list")


def test_a_cancelled_job_gives_its_documents_back_to_the_next_one(medkg: Medkg, abstracts: str) -> None:
    job_id = medkg("submit", "auto", "--path", abstracts)["job_id"]
    with open_data_folder(load_settings(data_dir=medkg.data_dir)) as data_folder:
        window_id = data_folder.ledger.windows.claim(job_id, 2)
        assert window_id is not None
        data_folder.ledger.windows.lease(window_id, OWNER)
        assert medkg("status")["documents"] == {"running": 2, "queued": 1}
        data_folder.ledger.windows.release(window_id, "its run failed: embed_op: ValueError: no model")
        window_id = data_folder.ledger.windows.claim(job_id, 2)
        assert window_id is not None
        data_folder.ledger.windows.lease(window_id, OWNER)
    (job,) = medkg("jobs", "list")["jobs"]
    assert job["handed_back_because"] == "its run failed: embed_op: ValueError: no model"
    assert "embed_op: ValueError: no model" in medkg.text("jobs", "list")
    (cancelled,) = medkg("jobs", "cancel", job_id[:8])["jobs"]
    assert (cancelled["state"], cancelled["pending"]) == ("cancelled", 3)
    assert medkg("status")["documents"] == {"queued": 3}
    assert medkg("jobs", "cancel", job_id)["jobs"][0]["state"] == "cancelled"
    assert medkg("submit", "auto", "--path", abstracts)["documents"] == {"in": 3, "pending": 3}


def test_a_job_is_shown_with_mentions_claims_and_what_was_dropped_by_reason(
    medkg: Medkg, abstracts: str
) -> None:
    job_id = medkg("submit", "auto", "--path", abstracts)["job_id"]
    dropped: dict[str, int]
    with open_data_folder(load_settings(data_dir=medkg.data_dir)) as data_folder:
        for window_id, mentions, dropped in (("w1", 5, {"span not in the text": 2}), ("w2", 4, {})):
            data_folder.ledger.outcomes.advance(
                window_id,
                "extract",
                [],
                [],
                {},
                StageReport(
                    job_id=job_id,
                    window_id=window_id,
                    stage="extract",
                    documents_in=3,
                    documents_out=3,
                    failed=0,
                    retried=0,
                    items_out=mentions + 1,
                    mentions=mentions,
                    claims=1,
                    dropped=dropped,
                    started_at=1,
                    seconds=1,
                    cpu_seconds=1,
                ),
            )
    shown = medkg("jobs", "show", job_id[:8])
    assert shown["documents"]["pending"] == 3
    assert (shown["stages"]["extract"]["mentions"], shown["stages"]["extract"]["claims"]) == (9, 2)
    assert shown["dropped"] == {"extract": {"span not in the text": 2}}
    text = " ".join(medkg.text("jobs", "show", job_id).split())
    assert "extract: 9 mentions, 2 claims; 15.4% dropped (2 span not in the text)" in text
    assert "3 documents = 0 committed + 0 failed + 0 skipped + 0 waiting + 3 pending" in text


def test_a_job_that_does_not_exist_or_is_not_the_only_one_is_wrong_use(medkg: Medkg, abstracts: str) -> None:
    for command in ("cancel", "show"):
        assert "jobs list" in medkg("jobs", command, "nothing", expect=2)["error"]["message"]
    medkg("submit", "auto", "--path", abstracts)
    medkg("submit", "auto", "--path", abstracts)
    assert "2 jobs begin" in medkg("jobs", "cancel", "", expect=2)["error"]["message"]


def test_a_submission_beside_a_host_that_does_not_answer_names_its_job_and_warns(
    medkg: Medkg, abstracts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.jobs.host_client.HostClient.is_running", lambda client: True)
    text = medkg.text("submit", "auto", "--path", abstracts)
    (job,) = medkg("jobs", "list")["jobs"]
    assert job["job_id"] in text and "The job may have to wait: " in text
