#!/bin/sh
# Makes the data directory and its accounts at first boot and becomes the server.
set -eu
data=/var/db/data
if [ ! -d $data/mysql ]; then
    mariadb-install-db --no-defaults --datadir=$data --auth-root-authentication-method=normal --skip-test-db \
        --skip-name-resolve --force > /dev/null
    # Accounts as old as the day on which the scenario begins, whenever this directory is made.
    mariadbd --no-defaults --datadir=$data --bootstrap <<SQL
flush privileges;
create user 'app'@'%' identified by 'app-password' password expire $EXPIRE;
create user 'reports'@'%' identified by 'reports-password' require ssl;
update mysql.global_priv set priv = json_set(priv, '$.password_last_changed', unix_timestamp('2030-01-01 00:00:00'));
grant select on mysql.global_priv to 'app'@'%';
SQL
fi
exec mariadbd --no-defaults --datadir=$data --socket=/var/db/socket --pid-file=/var/db/pid --bind-address=0.0.0.0 \
    --skip-name-resolve --ssl-ca=/etc/db/ca.pem --ssl-cert=/etc/db/tls.crt --ssl-key=/etc/db/tls.key
