"""The only room that names implementations: it puts the others together, for commands, host and workers.

Comes in: settings. Leaves: an `Assembly`, whose parts are made when they are first asked for, so a command
that lists documents imports neither stages nor models. `stores` is what keeps things, `inputs` what brings
documents in, `extraction` what finds mentions and claims, `assembled` all the rest.
"""

from orchestration.assembly.assembled import Assembly, open_data_folder

__all__ = ["Assembly", "open_data_folder"]
