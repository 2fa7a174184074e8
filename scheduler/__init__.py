"""The process that drives everything that recurs, by rq-scheduler."""
