"""Jobs of the execution pool, which runs headless agents; each in a process of its own."""


def ping() -> None:
    """Do nothing: a pool that finishes this takes jobs."""
