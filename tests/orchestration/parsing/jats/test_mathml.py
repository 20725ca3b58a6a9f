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
        ("<msqrt><mn>2</mn><mi>x</mi></msqrt><mn>1</mn>", "√(2x) 1"),
        ("<msqrt><mi>x</mi></msqrt><mi>y</mi>", "√x y"),
        ("<mroot><mrow><mn>2</mn><mi>x</mi></mrow><mn>3</mn></mroot><mn>1</mn>", "(2x)^(1/3) 1"),
        ("<msup><mrow><mn>2</mn><mi>x</mi></mrow><mn>2</mn></msup>", "(2x)^2"),
        ("<msup><mrow><mo>−</mo><mi>x</mi></mrow><mn>2</mn></msup>", "(−x)^2"),
        ("<msup><msup><mi>x</mi><mn>2</mn></msup><mn>3</mn></msup>", "(x^2)^3"),
        ("<msup><msub><mi>x</mi><mn>1</mn></msub><mn>2</mn></msup>", "x_1^2"),
        ("<msup><mn>2</mn><mrow><mn>3</mn><mi>n</mi></mrow></msup>", "2^(3n)"),
        ("<mfrac><mn>1</mn><mrow><mn>2</mn><mi>x</mi></mrow></mfrac><mn>3</mn>", "1/(2x) 3"),
        ("<mfrac><mi>dx</mi><mi>dt</mi></mfrac>", "dx/dt"),
        ("<mfrac><mrow><mi>d</mi><mi>x</mi></mrow><mrow><mi>d</mi><mi>t</mi></mrow></mfrac>", "dx/dt"),
        ("<msup><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac><mn>2</mn></msup>",
         "((a + b)/2)^2"),
        ("<msup><mi>x</mi><mfenced><mi>n</mi></mfenced></msup>", "x^(n)"),
        ("<msub><mrow><mo>⟨</mo><mi>a</mi><mi>b</mi><mo>⟩</mo></mrow><mi>i</mi></msub>", "⟨ab⟩_i"),
        ("<msup><mover><mi>σ</mi><mo>^</mo></mover><mn>2</mn></msup>", "(σ^)^2"),
        ("<msub><mover><mi>b</mi><mo>¯</mo></mover><mi>i</mi></msub>", "b¯_i"),
    ],
)  # fmt: skip
def test_a_formula_in_one_line(mathml: str, text: str) -> None:
    assert formula_text(etree.fromstring(f"<math>{mathml}</math>")) == text
