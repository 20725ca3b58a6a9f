"""What is measured on: documents, questions, synthetic chunks and PDFs."""
