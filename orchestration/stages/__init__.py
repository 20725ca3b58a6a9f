"""One module a stage: small classes that implement a stage protocol over what assembly hands them.

A stage knows nothing of policies, retries, leases or Dagster: it turns its input into its output and
raises a MedkgError that says what is wrong with this document.
"""
