"""PDFs to converted documents (`pdf-ir`) by PdfConverter plugins (group medkg.pdf_converters).

Comes in: the bytes of one PDF. Leaves: JSON of a contracts.ConvertedPdf with pages, blocks in reading order
and their boxes, or an error of orchestration.errors. `mineru` asks a MinerU service, which reads layout,
scans, formulas and tables with models; `text-layer` reads the characters that a PDF itself holds, by
geometry alone, here. The topology names the converter; neither is ever used as a fallback for the other.

The text layer, bottom up: `glyphs` (characters and ruled lines of a page), `lines` (pieces of lines),
`margins` (running headers and footers), `tables`, `columns` (reading order), `paragraphs`, `headings`,
`hyphens`, and `reading`, which combines them; `converter` runs it in processes that can be killed.
"""
