"""Dense vectors in files of the data folder, searched with FAISS."""
