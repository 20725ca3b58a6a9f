"""PDFs to converted documents (`pdf-ir`) by PdfConverter plugins (group medkg.pdf_converters).

Comes in: the bytes of one PDF. Leaves: JSON of a contracts.ConvertedPdf with pages, blocks in reading order
and their boxes, or an error of orchestration.errors. `mineru` asks a MinerU service, which reads layout,
scans, formulas and tables with models; `text-layer` reads the characters that a PDF itself holds, by
geometry alone, here. The topology names the converter; neither is ever used as a fallback for the other.

The text layer, bottom up: `opening`; `characters` and `drawings` (from PDFium, with `signs` for codes of
old fonts), `overprint`, `glyphs` (one frame for each direction of a page's text), `lines` (pieces of
lines, with `marks`, `letter_spacing`, `right_to_left`), `form_fields`, `sheets`; what is no text:
`watermarks`, `line_numbers`, `turned_text`, `margins` (running headers and footers); `drop_caps`,
`tables`, `columns` (reading order), `paragraphs`, `headings`, `hyphens` and `compounds`, and `reading`,
which combines them; `converter` runs it all in processes that can be killed.
"""
