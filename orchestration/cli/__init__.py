"""The `medkg` command: what a person or a script asks of medkg, answered as tables or as JSON.

Each module holds the commands of one subject. They call `assembly` and print; they decide nothing.
"""
