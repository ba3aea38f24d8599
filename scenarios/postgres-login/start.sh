#!/bin/sh
# Makes the cluster and its roles at first boot and becomes the server.
set -eu
# Debian keeps the server's programs off the PATH, by version.
PATH="$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1):$PATH"
if [ ! -s /var/db/data/PG_VERSION ]; then
    initdb --pgdata=/var/db/data --auth=trust --locale=C --encoding=UTF8 --no-sync --no-instructions
    postgres --single -D /var/db/data -c fsync=off postgres <<'SQL'
create role app login;
create role reports login password 'reports-password';
set password_encryption = md5;
create role legacy login password 'legacy-password';
SQL
fi
exec postgres -D /var/db/data -c config_file=/etc/db/postgresql.conf -c hba_file=/etc/db/pg_hba.conf
