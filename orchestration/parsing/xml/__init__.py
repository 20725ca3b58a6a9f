"""XML for every parser of an XML format, and for the tags that JSON records hold as text.

Comes in: bytes or strings with tags. Leaves: trees that are safe to read (`trees`), the articles of a set
(`sets`), the text of inline elements, formulas and scripts (`inline`, `mathml`, `inline_runs`,
`inline_scripts`) by the elements of JATS (`elements`), and the words of a string with tags (`markup`).
"""
