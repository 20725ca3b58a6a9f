"""What does not work as it should now, with its cause and the next step; `medkg status` and `medkg doctor`.

Comes in: facts that processes observed, the outbox, gates, dead letters, disks. Leaves: one record per thing.
"""
