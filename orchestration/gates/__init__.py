"""Documents that wait for a condition, and the PDF conversions that most of them wait for."""
