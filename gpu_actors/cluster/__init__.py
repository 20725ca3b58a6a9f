"""Ray clusters: started as child processes or joined, and cleaned up after a kill."""
