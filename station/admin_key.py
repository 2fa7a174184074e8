"""Makes a key for an admin who has none: `python -m station.admin_key`.

Whoever can run this reaches the station's Redis, and so could do anything already: it lets nobody
in who was not.
"""

import sys

from broker.kernel.errors import BrokerError
from broker.security.api_keys import STATION, NewKey
from broker.security.principal import Role
from broker.wiring import build_broker
from config.settings import SettingsError, load_settings


def main() -> None:
    """Print the token of a new admin key, and nothing else."""
    try:
        settings = load_settings()
        if settings.redis_url is None:
            sys.exit(f"No station has run in {settings.data_dir} yet; start it first.")
        broker = build_broker(settings)
        broker.prepare()
        wanted = NewKey(name="made at the station", scopes=(Role.ADMIN.value,))
        issued = broker.identity.keys.create(wanted, created_by=STATION)
    except (SettingsError, BrokerError) as error:
        sys.exit(str(error))
    sys.stdout.write(f"{issued.token}\n")


if __name__ == "__main__":
    main()
