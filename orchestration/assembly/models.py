"""Models of one data folder: the profile, their ids, and the clients that compute with them.

Input: settings. Output: each of these, made when it is first asked for; models load at their first use.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from orchestration.assembly.inputs import AssembledInputs
from orchestration.contracts import TextModels, TextTagger
from orchestration.jobs.host_client import HostClient

if TYPE_CHECKING:
    from gpu_actors.plane import Profile
    from orchestration.assembly.plane_clients import AttachedPlane

__all__ = ["AssembledModels"]


class AssembledModels(AssembledInputs):
    """Models of one data folder."""

    @cached_property
    def profile(self) -> Profile:
        """What the plane is made of; raises ConfigurationError for a model that is not there."""
        from gpu_actors import plane

        settings = self.settings
        return plane.chosen_profile(
            settings.profile,
            settings.embedding_model,
            settings.sparse_model,
            settings.engine,
            settings.vllm_command,
            settings.replicas,
            settings.embedding_dimensions,
            settings.rerank_model,
            settings.extraction_model,
        )

    def models(self, legs: Collection[str], say: Callable[[str], None]) -> TextModels:
        """The running plane's models, else this process's own; those of the legs are loaded here and now."""
        host = HostClient(self.settings)
        if host.is_running() and host.status().plane == "ready":
            return host
        say("no plane runs: loading the models for this command (`medkg up` keeps them loaded)")
        return self.own_models(legs)

    def own_models(self, legs: Collection[str]) -> TextModels:
        """Models of the settings in this process, whatever a plane runs; those of the legs are loaded."""
        from orchestration.assembly.plane_clients import OwnModels

        return OwnModels(self.profile, legs)

    def model_ids(self) -> Mapping[str, str]:
        """The profile's models by leg."""
        from gpu_actors import plane

        return plane.model_ids(self.profile)

    def rerank_model(self) -> str | None:
        """Id of the profile's cross-encoder; None: nothing is reranked."""
        from gpu_actors import plane

        return plane.rerank_model_id(self.profile)

    def extraction_model(self) -> str | None:
        """Id of the profile's model for the extractor `encoder`; None: that extractor finds nothing."""
        from gpu_actors import plane

        return plane.extraction_model_id(self.profile)

    def sparse_off(self) -> str | None:
        """Why the profile has no sparse leg; None if it has one."""
        return self.profile.sparse_off

    @cached_property
    def available_tagger(self) -> TextTagger:
        """The tagger of commands: the running plane's, else this process's own."""
        from orchestration.assembly.plane_clients import AvailableTagger

        return AvailableTagger(self.settings, self.profile, self.plane)

    @cached_property
    def plane(self) -> AttachedPlane:
        from orchestration.assembly.plane_clients import AttachedPlane

        return AttachedPlane(self.settings, self.profile)
