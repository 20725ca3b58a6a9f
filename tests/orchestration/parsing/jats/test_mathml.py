"""MathML in one line: isotopes read as such, and numbers beside each other stay two."""

from __future__ import annotations

import pytest
from lxml import etree

from orchestration.parsing.xml.mathml import formula_text


@pytest.mark.parametrize(
    ("mathml", "text"),
    [
        ("<mmultiscripts><mi>F</mi><mprescripts/><none/><mn>18</mn></mmultiscripts>", "18F"),
        ("<mmultiscripts><mi>Tc</mi><mprescripts/><none/><mtext>99m</mtext></mmultiscripts>", "99mTc"),
        ("<mmultiscripts><mi>C</mi><mprescripts/><mn>6</mn><mn>14</mn></mmultiscripts>", "^14_6 C"),
        ("<mmultiscripts><mi>x</mi><mn>1</mn><mn>2</mn></mmultiscripts>", "x_1^2"),
        ("<mrow><mn>5</mn><mo>&#x2062;</mo><mn>3</mn></mrow>", "5 3"),
        ("<mrow><mn>1</mn><mspace/><mn>2</mn></mrow>", "1 2"),
        ("<mrow><mn>5</mn><mo>&#x2062;</mo><mi>x</mi></mrow>", "5x"),
        ("<mrow><mn>1</mn><mn>2</mn></mrow>", "12"),
    ],
)
def test_a_formula_in_one_line(mathml: str, text: str) -> None:
    assert formula_text(etree.fromstring(f"<math>{mathml}</math>")) == text
