"""A BERT for CPUs over oneDNN's fused operators, in fp32, bf16 or int8; imports nothing but torch."""
