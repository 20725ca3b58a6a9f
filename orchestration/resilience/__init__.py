"""Policies and the code that enforces them: retries, time-outs, breakers, rate limits, killable workers.

Comes in: a stage in batch form, its documents and its policy. Leaves: one outcome per document and its number
of attempts, and each decision on the way for the guard's observers. tenacity retries, pybreaker breaks,
aiolimiter limits within a process, pebble kills.

Ours, because none of them does it: the order in which they are composed (`guard`), retries of only the failed
documents of a batch (`batch`), and a rate limit that holds for all processes of a data folder
(`shared_rate_limit`).
"""
