"""Tagging by a client of the plane: texts are cut into windows here and read by the pool's actors.

Input: a profile's extraction model and its pool. Output: tagged texts; relations are scored in this process.
Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpu_actors.batches.micro_batches import MicroBatch
from gpu_actors.batches.token_budget import TokenBudget, TokenIds
from gpu_actors.profiles import Model, Profile, find_model
from orchestration.contracts import EffectStatement, Outcome, ReadDirection, TaggedText, TextToTag
from orchestration.errors import MedkgError

if TYPE_CHECKING:
    from gpu_actors.encoders.tagged_rows import TaggedRow
    from gpu_actors.pools.pool import Pool
    from gpu_actors.pools.rows import RowsOutcome

__all__ = ["PlaneTagger", "tagger_of"]


def tagger_of(profile: Profile, pool: Pool[MicroBatch] | None) -> PlaneTagger | None:
    """Return the profile's tagger; None if it has no extraction model."""
    if profile.extraction_model is None or pool is None:
        return None
    return PlaneTagger(find_model(profile.extraction_model), pool)


class PlaneTagger:
    """An extraction model behind a pool; thread-safe."""

    def __init__(self, model: Model, pool: Pool[MicroBatch]) -> None:
        from gpu_actors.batches.reading_windows import WindowTokenizer
        from gpu_actors.encoders.extractor_files import ExtractorFiles
        from gpu_actors.encoders.tag_decoding import names_of_mentions
        from gpu_actors.encoders.tagged_text import RelationHead

        files = self._files = ExtractorFiles(model.files)
        self._windows = WindowTokenizer(model.files, files.configuration.max_tokens)
        self._labels = names_of_mentions(files.configuration.tagger.labels)
        self._head = RelationHead.of(files)
        self._pool = pool
        self._budget: TokenBudget | None = None

    def tag(
        self, texts: Sequence[TextToTag], timeout_seconds: float
    ) -> tuple[list[Outcome[TaggedText]], RowsOutcome]:
        """Return one outcome per text, in order, and the cost; the error of a row is that of its text."""
        from gpu_actors.encoders.tagged_text import ReadWindow, TextOfWindows

        windows = [self._windows.windows(text) for text in texts]
        rows = [window.token_ids for of_text in windows for window in of_text]
        tagged, cost = self._tagged(rows, timeout_seconds)
        outcomes: list[Outcome[TaggedText]] = []
        first = 0
        for of_text in windows:
            positions = range(first, first + len(of_text))
            first = positions.stop
            error: MedkgError | None = next((cost.errors[at] for at in positions if at in cost.errors), None)
            read = [
                ReadWindow(window, *row)
                for window, at in zip(of_text, positions, strict=True)
                if (row := tagged[at]) is not None
            ]
            outcomes.append(error or TextOfWindows(read, self._labels, self._head))
        return outcomes, cost

    @property
    def reads_directions(self) -> bool:
        """Whether the model reads directions."""
        return self._files.configuration.direction is not None

    def directions(
        self, statements: Sequence[EffectStatement], timeout_seconds: float
    ) -> tuple[list[Outcome[ReadDirection]], RowsOutcome]:
        """Return one outcome per statement, in order, and the cost; raises as DirectionReader."""
        from gpu_actors.encoders.direction_scoring import DirectionReader

        reader = DirectionReader(self._files)
        tagged, cost = self._tagged(reader.rows(statements), timeout_seconds)
        return [
            cost.errors[at] if row is None else reader.read(row[1]) for at, row in enumerate(tagged)
        ], cost

    def _tagged(
        self, rows: Sequence[TokenIds], timeout_seconds: float
    ) -> tuple[list[TaggedRow | None], RowsOutcome]:
        from gpu_actors.pools.rows import tagged_rows

        if self._budget is None:
            self._budget = TokenBudget(int(self._pool.described(timeout_seconds)["batch_tokens"]))
        return tagged_rows(self._pool, rows, self._budget, timeout_seconds)
