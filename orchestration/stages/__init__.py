"""One module per stage: small classes that implement a stage protocol over the services of assembly.

A stage knows nothing of policies, retries, leases or Dagster: it turns its input into its output, and raises
a MedkgError that describes what is wrong with the document.
"""
