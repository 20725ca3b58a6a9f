"""One plane for all tests that need Ray: started once, ended with the session."""

from __future__ import annotations

import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray._private.authentication_test_utils import reset_auth_token_state

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.plane import RayPlane, start_plane
from gpu_actors.profiles import Model, chosen_profile, find_model


@pytest.fixture(scope="package")
def sigterm_handler() -> Any:
    """This process's handler of SIGTERM before it started Ray: the default, or that of a coverage run."""
    return signal.getsignal(signal.SIGTERM)


@pytest.fixture(scope="package")
def plane(sigterm_handler: Any) -> Iterator[RayPlane]:
    """A started plane of the cpu profile, guarded by a token as the host's; connects this process to Ray."""
    folder = Path(tempfile.mkdtemp(prefix="medkg-t-"))
    token = Path(tempfile.mkdtemp(prefix="medkg-t-")) / "token"
    token.write_text(secrets.token_hex(32))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_AUTH_MODE", "token")
        environment.setenv("RAY_AUTH_TOKEN_PATH", str(token))
        reset_auth_token_state()  # ray reads its environment when it is imported, which test modules did
        started = start_plane(chosen_profile("cpu"), folder=folder, dashboard=False)
        yield started
        started.close()
    shutil.rmtree(token.parent)


@pytest.fixture(scope="session")
def minilm() -> Model:
    return find_model("all-MiniLM-L6-v2")


@pytest.fixture(scope="session")
def tokenizer(minilm: Model) -> TextTokenizer:
    return TextTokenizer(minilm.files, 512)
