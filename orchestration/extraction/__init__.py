"""Extraction: what a document claims, every mention and claim at exact spans of its text.

Input: a document. Output: entities and claims of a graph schema. `findings` builds them, so that a mention is
the text of its span by construction; `registry` reads the annotations of structured records.
"""
