"""A local vLLM server as a child process, and the dense encoder that calls it."""
