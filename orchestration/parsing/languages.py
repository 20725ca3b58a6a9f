"""Languages of records: the codes of MEDLINE (ISO 639-2/B) as names and as short tags.

Comes in: codes such as `fre`. Leaves: 'French' for headings, `fr` for Document.language. Codes as in
https://www.nlm.nih.gov/bsd/language_table.html (read 2026-11-29); others stay as they are.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ENGLISH", "language_name", "language_tag"]

ENGLISH: Final = frozenset({"", "en", "eng"})

_LANGUAGES: Final = {
    "afr": ("Afrikaans", "af"),
    "alb": ("Albanian", "sq"),
    "ara": ("Arabic", "ar"),
    "arm": ("Armenian", "hy"),
    "aze": ("Azerbaijani", "az"),
    "bos": ("Bosnian", "bs"),
    "bul": ("Bulgarian", "bg"),
    "cat": ("Catalan", "ca"),
    "chi": ("Chinese", "zh"),
    "cze": ("Czech", "cs"),
    "dan": ("Danish", "da"),
    "dut": ("Dutch", "nl"),
    "eng": ("English", "en"),
    "epo": ("Esperanto", "eo"),
    "est": ("Estonian", "et"),
    "fin": ("Finnish", "fi"),
    "fre": ("French", "fr"),
    "geo": ("Georgian", "ka"),
    "ger": ("German", "de"),
    "glg": ("Galician", "gl"),
    "gre": ("Greek", "el"),
    "heb": ("Hebrew", "he"),
    "hin": ("Hindi", "hi"),
    "hrv": ("Croatian", "hr"),
    "hun": ("Hungarian", "hu"),
    "ice": ("Icelandic", "is"),
    "ind": ("Indonesian", "id"),
    "ita": ("Italian", "it"),
    "jpn": ("Japanese", "ja"),
    "kor": ("Korean", "ko"),
    "lat": ("Latin", "la"),
    "lav": ("Latvian", "lv"),
    "lit": ("Lithuanian", "lt"),
    "mac": ("Macedonian", "mk"),
    "may": ("Malay", "ms"),
    "nor": ("Norwegian", "no"),
    "per": ("Persian", "fa"),
    "pol": ("Polish", "pl"),
    "por": ("Portuguese", "pt"),
    "rum": ("Romanian", "ro"),
    "rus": ("Russian", "ru"),
    "slo": ("Slovak", "sk"),
    "slv": ("Slovenian", "sl"),
    "spa": ("Spanish", "es"),
    "srp": ("Serbian", "sr"),
    "swe": ("Swedish", "sv"),
    "tha": ("Thai", "th"),
    "tur": ("Turkish", "tr"),
    "ukr": ("Ukrainian", "uk"),
    "vie": ("Vietnamese", "vi"),
    "wel": ("Welsh", "cy"),
}
_NAMES: Final = {tag: name for name, tag in _LANGUAGES.values()}


def language_name(code: str) -> str:
    """'French' for `fre` and `fr`; an unknown code as it is."""
    code = code.strip().lower()
    return _LANGUAGES[code][0] if code in _LANGUAGES else _NAMES.get(code, code)


def language_tag(code: str) -> str:
    """`fr` for `fre`; an unknown code as it is, `en` for none."""
    code = code.strip().lower()
    return _LANGUAGES[code][1] if code in _LANGUAGES else code or "en"
