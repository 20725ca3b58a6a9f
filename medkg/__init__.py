"""What medkg ships for its users' own code; the product is in `orchestration` and `gpu_actors`."""
