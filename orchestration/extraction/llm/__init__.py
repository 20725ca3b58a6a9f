"""Extraction by a language model that any OpenAI-compatible server runs.

Input: a document. Output: mentions and claims whose spans are computed here, never by the model: it names
substrings of the text and cites sentences by number. `windows` cuts the text, `grammar` says what an answer
may be, `grounding` finds what an answer names in the text, `server` sends requests, `extractor` joins them.
"""
