"""How long a killed process may keep the station from its work."""

import os

RECOVERY_SECONDS = 5 * float(os.environ.get("TEST_PATIENCE") or 1)
"""Five, on a machine that has nothing else to do; CI, where tests share the cores, has patience."""
