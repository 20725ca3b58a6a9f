"""Documents to chunks under profiles: exact offsets, in the embedding model's own tokens."""
