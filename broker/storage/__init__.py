"""How the broker reaches Redis: connections, keys, scripts, doorbell, migrations."""
