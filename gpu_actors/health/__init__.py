"""What a machine's CPU and GPUs can do and whether they are fit for work; the plane's metrics."""
