"""MinerU as a PdfConverter: its HTTP service, and its output as a converted document."""
