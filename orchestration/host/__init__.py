"""The long-lived process of a data folder: plane, window workers, job driver, Dagster's processes."""
