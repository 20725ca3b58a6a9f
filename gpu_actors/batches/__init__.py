"""Texts as token rows, and rows as micro-batches within a token budget. No torch, no Ray."""
