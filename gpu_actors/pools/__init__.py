"""Pools of long-lived Ray actors: placement, dispatch, health probes, replacement."""
