"""A job that lasts as long as a test wants it to; workers import it by its dotted name."""

from workers.station import broker

SLOW_JOB = "tests.process.slow_job.run"
_LONGEST_SECONDS = 60


def run(name: str) -> None:
    """Tell that it has started, wait to be released, and tell that it has finished."""
    jobs = broker().jobs
    jobs.command("RPUSH", f"{name}:started", 1)
    jobs.client.blpop([f"{name}:release"], timeout=_LONGEST_SECONDS)
    jobs.command("RPUSH", f"{name}:finished", 1)
