"""A local vLLM server as a child process, and the process group that ends with its owner."""
