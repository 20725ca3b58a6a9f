"""The example of docs/guides/pdf.md is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from medkg.testing.builders import a_payload
from medkg.testing.document_checks import assert_sound
from orchestration.parsing.pdf_ir import PdfIrParser

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "pdf.md"


def test_the_example_of_a_converters_output_is_a_document() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    imports, _, expression = example.partition("\n\n")
    names: dict[str, object] = {}
    exec(imports, names)
    content = eval(expression.strip(), names)
    document = PdfIrParser().parse(a_payload(content, "pdf-ir"), "default")
    assert_sound(document)
    assert document.text == "Participants walked before they slept."
    assert document.metadata == {"pages": 1, "converter": "mine/1"}
