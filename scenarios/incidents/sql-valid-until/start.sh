#!/bin/sh
# Makes the cluster and its role at first boot and becomes the server.
set -eu
# Debian keeps the server's programs off the PATH, by version.
PATH="$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1):$PATH"
if [ ! -s /var/db/data/PG_VERSION ]; then
    initdb --pgdata=/var/db/data --auth=trust --locale=C --encoding=UTF8 --no-sync --no-instructions
    echo "create role app login password 'app' valid until '$VALID_UNTIL';" |
        postgres --single -D /var/db/data -c fsync=off postgres
fi
exec postgres -D /var/db/data -c hba_file=/etc/db/pg_hba.conf -c fsync=off -c listen_addresses='*' -c unix_socket_directories=/var/db
