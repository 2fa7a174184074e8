"""Jobs of the delivery pool, which pushes messages to those that do not fetch them."""


def ping() -> None:
    """Do nothing: a pool that finishes this takes jobs."""
