"""The user's synonyms: lines such as `heart attack, MI`, or `mi => myocardial infarction`, one way."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from orchestration.errors import ConfigurationError

__all__ = ["read_synonyms"]

MOST: Final = 10_000


def read_synonyms(path: Path | None) -> tuple[str, ...]:
    """Its rules, comments (#) and empty lines left out; raises ConfigurationError naming file and line."""
    if path is None:
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"synonyms {path} (MEDKG_OPENSEARCH_SYNONYMS) cannot be read: {error}."
        ) from error
    rules = []
    for number, line in enumerate(lines, start=1):
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        sides = rule.split("=>")
        if len(sides) > 2 or any(not word.strip() for side in sides for word in side.split(",")):
            raise ConfigurationError(
                f"synonyms {path}, line {number}: {rule!r} is no rule. Write 'heart attack, MI', or "
                "'mi => myocardial infarction' for one way only."
            )
        rules.append(rule)
    if len(rules) > MOST:
        raise ConfigurationError(f"synonyms {path} has {len(rules)} rules; at most {MOST} are taken.")
    return tuple(rules)
