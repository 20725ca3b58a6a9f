"""Events: the facts of the ledger as CloudEvents, and the relay that brings them to those who listen.

Comes in: facts of the outbox. Leaves: events on Kafka, in a file, at a webhook; positions of the readers.
"""
