"""From documents to a model's folder: the way through this room, and what it came to.

Input: documents, a recipe, where to. Output: the folder, whole or not at all, and a `Report` of sizes and
measures, which the card also lists.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import torch

from gpu_actors.encoders.splade import SpladeEncoder
from gpu_actors.encoders.torch_encoder import TorchEncoder
from gpu_actors.health.gpu import preflight
from gpu_actors.profiles import NO_MODEL, Profile, chosen_profile, find_model
from gpu_actors.training.batches import Pairing
from gpu_actors.training.card import card
from gpu_actors.training.corpus import Corpus, gather, held_apart, require_enough
from gpu_actors.training.expansion import train_expansion
from gpu_actors.training.export import check_free, export, whole_or_nothing
from gpu_actors.training.head import fit_head
from gpu_actors.training.held_out import (
    Measures,
    bm25_scores,
    chance,
    dense_scores,
    judged,
    sparse_scores,
    trial_of,
)
from gpu_actors.training.pairs import queries_of, with_neighbours
from gpu_actors.training.recipe import Progress, Recipe, Report, Watch
from gpu_actors.training.student import Student
from gpu_actors.training.teacher import Embed, embedded
from orchestration.records import Document

__all__ = ["make_sparse_model"]


def make_sparse_model(
    documents: Iterable[Document], out: Path, recipe: Recipe, profile_name: str, watch: Watch
) -> Report:
    """Train and write a sparse model; documents are read once, as they come.

    Raises UsageError for a folder that is there or too little text, ConfigurationError for a base that will
    not do, GpuUnavailableError; nothing is left at `out` then, nor when it is interrupted.
    """
    check_free(out)
    _quiet_libraries()
    started = time.monotonic()
    profile = chosen_profile(profile_name, recipe.base, NO_MODEL, "torch")
    preflight(profile)
    base = find_model(recipe.base)
    student = Student(base.files, profile.device, base.token_limit(profile.max_tokens))
    corpus = gather(documents, student.tokenizer, recipe, watch)
    training, held = held_apart(corpus, recipe.held_out, recipe.seed)
    require_enough(training)
    embed: Embed = TorchEncoder(profile).embed
    pairs = _train(student, training, embed, recipe, watch)
    with whole_or_nothing(out) as folder:
        export(student, base.files, folder)
        measures, trial = _measured(folder, profile, embed, (training, held), recipe, watch)
        report = Report(
            base=base.model_id,
            head_made=not student.has_head,
            documents={"learnt_from": len(training.subjects), "held_out": len(held.subjects)},
            sources=dict(Counter(subject.source for subject in corpus.subjects.values())),
            windows={"learnt_from": len(training.windows), "held_out": len(held.windows)},
            pairs=pairs,
            trial=trial,
            measures=measures,
            seconds=round(time.monotonic() - started, 1),
        )
        (folder / "README.md").write_text(card(out.name, recipe, report, student.limit), encoding="utf-8")
    return report


def _train(student: Student, corpus: Corpus, embed: Embed, recipe: Recipe, watch: Watch) -> dict[str, int]:
    """Teach the student; returns the number of pairs by kind."""
    texts, queries = [window.text for window in corpus.windows], queries_of(corpus, recipe.seed)
    questions = [query.text for query in queries]

    def report(done: int) -> None:
        watch(Progress("teacher", done, len(texts) + len(questions), "texts"))

    window_vectors = embedded(embed, texts, report)
    query_vectors = embedded(embed, questions, lambda done: report(len(texts) + done))
    queries = with_neighbours(queries, corpus, query_vectors, window_vectors)
    fit_head(student, texts, torch.from_numpy(window_vectors), embed, recipe, watch)
    pairing = Pairing(corpus, queries, query_vectors, window_vectors, recipe)
    train_expansion(student, pairing, recipe, watch)
    return dict(Counter(query.kind for query in queries))


def _measured(
    folder: Path,
    profile: Profile,
    embed: Embed,
    corpora: tuple[Corpus, Corpus],
    recipe: Recipe,
    watch: Watch,
) -> tuple[dict[str, Measures], dict[str, float]]:
    """(measures by system, sizes of the trial) on what was held out; empty without any question."""
    training, held = corpora
    trial = trial_of(held, training, recipe.seed)
    if trial is None:
        return {}, {}
    watch(Progress("measuring", 0, len(trial.questions), "questions"))
    encoder = SpladeEncoder(profile.model_copy(update={"sparse_model": str(folder)}))
    scores, terms = sparse_scores(encoder, trial)
    measures = {
        "sparse": judged(trial, scores),
        "teacher": judged(trial, dense_scores(embed, trial)),
        "bm25": judged(trial, bm25_scores(trial)),
        "chance": chance(trial),
    }
    watch(Progress("measuring", len(trial.questions), len(trial.questions), "questions"))
    return measures, {"questions": len(trial.questions), "documents": trial.size, **terms}


def _quiet_libraries() -> None:
    """Silence transformers' warning about a head that the base does not have, which is expected."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
