"""The guided demo and its authored corpus: 40 invented registry records, 20 articles, 6 broken files.

Comes in: nothing but this folder. Leaves: `python -m demo`, which ingests the corpus with the real command,
searches it and shows what happened. README.md says what the corpus is and what each broken file provokes.
"""
