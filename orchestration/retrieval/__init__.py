"""Retrieval: legs that find chunks, their fusion, and how well both do on questions with known answers."""
