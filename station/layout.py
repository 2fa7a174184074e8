"""Where a station keeps what: the files in its data directory beside the embedded Redis."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """The paths under one data directory."""

    data_dir: Path

    @property
    def lock(self) -> Path:
        """Held by the running station, so that there is one for a data directory."""
        return self.data_dir / "station.lock"

    @property
    def logs(self) -> Path:
        """One file a process, rotated."""
        return self.data_dir / "log"

    @property
    def run(self) -> Path:
        """What only a running station needs; emptied at each start."""
        return self.data_dir / "run"

    @property
    def supervisor_config(self) -> Path:
        """Written anew from the Procfile at each start."""
        return self.run / "supervisord.conf"

    def log_of(self, process: str) -> Path:
        """Return the log file of a process."""
        return self.logs / f"{process}.log"

    def starts_of(self, process: str) -> Path:
        """Return the file in which station.child counts a process's starts."""
        return self.run / f"{process}.starts"
