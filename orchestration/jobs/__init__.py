"""A request's way: submitted as a job, cut into windows, run by the host, watched to its end."""
