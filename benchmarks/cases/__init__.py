"""The cases, a module each: `measure(bench)` gives figures, ratios among them."""
