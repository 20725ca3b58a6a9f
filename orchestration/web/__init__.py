"""Talking to web services over HTTP, politely.

Comes in: requests of sources and stages, and the guard of the resilience room as assembly hands it in.
Leaves: whole answers within their limits, or errors of ours. Nothing else in the control plane that fetches
documents opens a connection.
"""
