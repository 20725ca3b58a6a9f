"""Vocabularies: concepts with names, and the linker that finds a mention's concept among them.

Comes in: files as their publishers write them (`formats`), and documents with mentions. Leaves: one index
file per vocabulary (`index`, `folder`), and mentions with the concept that their name has (`linking`).
"""
