"""From the ledger's graph to a projection of it: which documents are due, what is written of each, when."""
