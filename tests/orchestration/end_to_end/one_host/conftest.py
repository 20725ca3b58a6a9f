"""One host for all tests of this folder, each file or test with its own tenant.

The host knows a folder of topologies with one more than is shipped, a small cross-encoder with random
weights, a local ClinicalTrials.gov, and a MinerU server that runs only when a test starts it. Tests here
may swap models, if they swap back, and kill what the host restarts; the host itself they leave alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import demo as demo_package
from medkg.testing.builders import a_study
from ops.observability.servers import free_port
from orchestration.topology.shipped import shipped_folder
from tests.gpu_actors.encoders.tiny_cross_encoder import a_cross_encoder
from tests.orchestration.command_line import Medkg
from tests.servers.mineru_server import MineruProcess
from tests.servers.replay_server import Conditions, ReplayServer, replaying
from tests.servers.replay_services import ClinicalTrialsService

DEMO = Path(demo_package.__file__).parent
CORPUS = DEMO / "corpus"
DEMO_TENANT = "demo"
BY_HAND = "pdf-by-hand"
"""A topology whose gate waits for an operator; otherwise it is `pdf-text-layer`."""

STUDIES = 250


@dataclass(frozen=True)
class OneHost:
    """The running host, and the servers that it is configured with."""

    data_dir: Path
    trials: ReplayServer
    mineru: MineruProcess
    """Not running; a test that starts it kills it."""
    metrics_port: int

    def tenant(self, name: str) -> Medkg:
        """Commands for one tenant of the host's data folder."""
        return Medkg(self.data_dir, name)


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneHost]:
    folder = tmp_path_factory.mktemp("one-host")
    studies = ClinicalTrialsService([a_study(f"NCT{number:08}") for number in range(1, STUDIES + 1)])
    conditions = Conditions(fault_rate=0.05, most_per_second=5)
    with (
        replaying(studies, conditions) as trials,
        MineruProcess("--seconds", "1") as mineru,
        pytest.MonkeyPatch.context() as environment,
    ):
        mineru.kill()
        environment.setenv("MEDKG_TOPOLOGIES_DIR", str(topologies(folder / "topologies")))
        environment.setenv("MEDKG_RERANK_MODEL", str(a_cross_encoder(folder / "tiny")))
        environment.setenv("MEDKG_CLINICALTRIALS_URL", trials.url)
        environment.setenv("MEDKG_CONTACT", "ann@example.org")
        started = OneHost(folder / "data", trials, mineru, free_port())
        with pytest.MonkeyPatch.context() as of_the_host_alone:
            of_the_host_alone.setenv("MEDKG_MINERU_URL", mineru.url)
            of_the_host_alone.setenv("MEDKG_METRICS_PORT", str(started.metrics_port))
            started.tenant("default")("up")
        yield started
        started.tenant("default")("down")


@pytest.fixture(scope="package")
def demo(host: OneHost) -> Medkg:
    """Commands of a tenant that holds the demo corpus; its six broken files are dead letters."""
    medkg = host.tenant(DEMO_TENANT)
    run = medkg("run", "auto", "--path", str(CORPUS), expect=1)
    assert (run["documents"]["committed"], run["documents"]["failed"]) == (60, 6)
    return medkg


def topologies(folder: Path) -> Path:
    """The shipped topologies and one whose gate is opened by hand."""
    shutil.copytree(shipped_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = (folder / "pdf-text-layer.yaml").read_text(encoding="utf-8")
    text = text.replace("name: pdf-text-layer", f"name: {BY_HAND}")
    text = text.replace("resume_stage: parse", "resume_stage: parse\n    resume: manual")
    (folder / f"{BY_HAND}.yaml").write_text(text, encoding="utf-8")
    return folder
