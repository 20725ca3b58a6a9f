"""Policies and what enforces them: retries, time-outs, breakers, limits, and code that can be killed.

Comes in: a stage in batch form, its documents and its policy. Leaves: one outcome a document and how often
each was tried. tenacity retries, pybreaker breaks, aiolimiter limits, pebble kills; nothing is hand-made.
"""
