"""Measurements: named cases, each against its bound and a peer in the same run. `medkg bench` runs them."""
