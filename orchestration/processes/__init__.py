"""Processes that live and end as they should, and how they talk: nothing here knows documents."""
