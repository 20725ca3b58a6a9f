"""How load is made and timed: round robin, open loop, latency, process trees."""
