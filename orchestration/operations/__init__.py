"""Operations on a data folder: search, erasure, re-embedding, backup, doctor."""
