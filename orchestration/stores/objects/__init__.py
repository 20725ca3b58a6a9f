"""Objects in a folder or on S3 through obstore, and the parsed documents that are kept as such."""
