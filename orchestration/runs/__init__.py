"""A window's run: its stages under their policies, its artifacts, its commit or its wait at a gate."""
