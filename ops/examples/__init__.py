"""Programs that deployments start from, or copy."""
