"""One suite a contract; every implementation, ours or a plugin's, subclasses it and gives its fixtures."""
