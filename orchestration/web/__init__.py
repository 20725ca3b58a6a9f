"""HTTP client of web services.

Comes in: requests of sources and stages, and the guards of the resilience room, which assembly passes.
Leaves: complete answers within their limits, or medkg errors. No other room of the control plane opens
connections to fetch documents.
"""
