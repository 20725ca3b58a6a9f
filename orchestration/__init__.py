"""The control plane of medkg: what flows, in which order, under which rules, and where it stands.

Read `records` (what flows), `contracts` (what a stage, a source or a store promises), `errors` (what
can go wrong), then `runner` (where a stage meets its policy) and `assembly` (who is put together with
whom). Nothing in here imports torch; ray, dagster and haystack are imported only where they are used.
"""
