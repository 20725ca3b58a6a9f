"""The guided demo: ingest the authored corpus with the real command, search it, explain what happened.

Comes in: a data folder. Leaves: a searchable index in it. Every step is a `medkg` command that is printed
before it runs, so that it can be repeated by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule

CORPUS = Path(__file__).parent / "corpus"
QUESTIONS: tuple[tuple[str, list[str]], ...] = (
    ("Who with heart failure could not join the trials?", ["--section", "eligibility"]),
    ("How often did the cancer drug raise blood pressure?", []),
)
VOCABULARY = Path(__file__).parent / "drugs.tsv"
"""The invented drugs by the keys of their records, so that articles that name one mean the same concept."""
DRUG = "Orliparin"
DRUG_GROUP = "Orliparin 100 mg"
BROKEN_FILES = sum(path.is_file() for path in (CORPUS / "broken").iterdir())

PLAIN_WIDTH = 110
"""Columns where there is no terminal, so that no title is cut."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def main() -> None:
    """Run the steps; ends with the exit code of the first one that failed unexpectedly."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    demo = Demo(parser.parse_args().data_dir)
    try:
        demo.start()
        demo.ingest()
        demo.explain_failures()
        demo.search()
        demo.show_provenance()
        demo.ask_the_graph()
        demo.measure()
    finally:
        demo.stop()
    demo.say_what_is_next()


class Demo:
    """The steps of the demo over one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def start(self) -> None:
        """Workers and models stay hot between the commands that follow."""
        _title("0. Start the plane (models in Ray actors), window workers, the Dagster UI and its daemon")
        self._medkg("up")

    def stop(self) -> None:
        """Leave nothing running."""
        _title("Stop what was started")
        self._medkg("down")

    def ingest(self) -> None:
        """All of the corpus through the `auto` topology; a second time finds nothing to do."""
        _title("1. Ingest: registry records, articles and six broken files, through Dagster and Ray")
        self._medkg("vocabulary", "add", str(VOCABULARY))
        self._medkg("run", "auto", "--path", str(CORPUS), allowed=(0, 1))

    def explain_failures(self) -> None:
        """The broken files are dead letters, everything else went through."""
        _title(f"2. {BROKEN_FILES} broken files did not stop the rest: they are dead letters, with reasons")
        self._medkg("dlq", "list")

    def search(self) -> None:
        """Questions in plain words; each hit says where it stands."""
        _title(
            "3. Search by words (BM25), words and kin (SPLADE), meaning (dense); hits cite their characters"
        )
        for question, options in QUESTIONS:
            self._medkg("search", question, "--top", "3", *options)

    def show_provenance(self) -> None:
        """The offsets of the best hit, followed back to the document's text."""
        _title("4. Provenance: the best hit is exactly that slice of its document")
        question, options = QUESTIONS[0]
        hit = self._ask("search", question, "--top", "1", *options)["hits"][0]
        document = self._ask("docs", "show", hit["doc_id"], "--source", hit["source"])
        start, end = hit["start_char"], hit["end_char"]
        exact = document["text"][start:end] == hit["text"]
        console.print(
            f"{hit['doc_id']}: document.text[{start}:{end}] "
            f"{'is' if exact else 'IS NOT'} the hit's text; {len(document['chunks'])} chunks in "
            f"{len(document['sections'])} sections.",
            markup=False,
            soft_wrap=True,
        )
        console.print()
        if not exact:
            sys.exit(1)

    def ask_the_graph(self) -> None:
        """A question answered from claims, and one of them followed to the characters that state it."""
        _title(
            "5. The graph: who mentions Orliparin, what do records say of it, where does a comparison stand?"
        )
        self._medkg("graph", "entities", DRUG, "--kind", "Drug")
        self._medkg("graph", "neighbours", DRUG, "--limit", "8")
        claims = self._ask("graph", "claims", DRUG_GROUP, "--predicate", "compared_on")["claims"]
        if not claims:
            console.print(f"no trial compares {DRUG_GROUP}", markup=False)
            sys.exit(1)
        self._medkg("graph", "evidence", claims[0]["claim_id"])

    def measure(self) -> None:
        """How well it finds what the corpus' own questions ask for."""
        _title("6. Quality: the corpus' own questions, by leg and fused")
        self._medkg("eval", "--questions", str(CORPUS.parent / "questions.jsonl"))
        console.print(
            "So few questions cannot tell the legs apart (one rank of one answer is .01); on 900 real ones\n"
            "the hybrid is the best: docs/decisions/0009-fusion.md.\n"
        )

    def say_what_is_next(self) -> None:
        """What to try on one's own files."""
        _title("Next: your own files")
        medkg = _shown([_executable()])
        for command, meaning in (
            ("run auto --path YOUR_FOLDER", "JATS, PubMed, ClinicalTrials.gov, Markdown, text"),
            ("search 'your question'", "--top, --source, --section, --json"),
            ("up", "keep models hot; Dagster UI, Ray dashboard"),
            ("--help", "everything else"),
        ):
            console.print(f"  {medkg} {command:<29} {meaning}", markup=False, soft_wrap=True)
        console.print(f"\nThis demo's data: add --data-dir {self._data_dir} to look at it.", soft_wrap=True)

    def _command(self, *arguments: str) -> list[str]:
        return [_executable(), "--data-dir", str(self._data_dir), *arguments]

    def _medkg(self, *arguments: str, allowed: Sequence[int] = (0,)) -> None:
        command = self._command(*arguments)
        console.print(f"$ {_shown(command)}", style="cyan", markup=False, soft_wrap=True)
        code = subprocess.run(command, check=False).returncode
        console.print()
        if code not in allowed:
            sys.exit(code)

    def _ask(self, *arguments: str) -> Any:
        command = [*self._command(*arguments), "--json"]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _executable() -> str:
    """The `medkg` beside this Python."""
    return str(Path(sys.executable).parent / "medkg")


def _shown(command: Sequence[str]) -> str:
    """A command as one would type it from here."""
    return shlex.join(
        os.path.relpath(word) if Path(word).is_absolute() and Path(word).exists() else word
        for word in command
    )


def _title(text: str) -> None:
    console.print(Rule(text, align="left", style="dim"))


if __name__ == "__main__":
    main()
