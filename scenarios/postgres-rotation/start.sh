#!/bin/sh
# Makes the cluster at first boot, as the package's own scripts do, and becomes the server.
set -eu
# Debian keeps the server's programs off the PATH, by version.
PATH="$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1):$PATH"
if [ ! -s /var/db/data/PG_VERSION ]; then
    initdb --pgdata=/var/db/data --username=app --auth=trust --locale=C --encoding=UTF8 --no-sync --no-instructions
fi
exec postgres -D /var/db/data -c config_file=/etc/db/postgresql.conf -c hba_file=/etc/db/pg_hba.conf
