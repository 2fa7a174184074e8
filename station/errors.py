"""Why a station can't start, in a sentence for the person at the terminal."""


class StationError(Exception):
    """The station can't start here and now; the message says what to change."""
