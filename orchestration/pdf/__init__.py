"""PDFs to converted documents (`pdf-ir`): each converter a PdfConverter plugin (group medkg.pdf_converters).

Comes in: the bytes of one PDF. Leaves: JSON of a contracts.PdfIr with pages, blocks in reading order and
their boxes, or an error of orchestration.errors. `mineru` asks a MinerU service, which reads layout, scans,
formulas and tables with models; `text-layer` reads the characters that a PDF itself holds, by geometry
alone, here. Which one reads is named by the topology; neither ever stands in for the other.

The text layer, bottom up: `glyphs` (characters and ruled lines of a page), `lines` (pieces of lines),
`margins` (running headers and footers), `tables`, `columns` (reading order), `paragraphs`, `headings`,
`hyphens`, and `text_layer`, which puts them together; `text_layer_converter` runs it in processes that can
be killed.
"""
