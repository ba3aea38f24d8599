#!/bin/bash
# A client that keeps one session open, as a connection pool does: what is written to `questions` goes through it, and
# what comes back stands in `answers`. Where it is lost, it is opened anew.
set -u
mkfifo /run/session/questions /run/session/answers
exec 3<>/run/session/questions 4<>/run/session/answers
while :; do
    echo "opening a session"
    psql --no-psqlrc --quiet --tuples-only --no-align <&3 >&4 2>&1
    echo "the session is over"
    if ! reason=$(psql --no-psqlrc --quiet --command 'select 1' 2>&1 >/dev/null); then
        read -r _ <&3
        printf 'no session: %s\n' "${reason//$'\n'/ }" | tee /dev/fd/4
    fi
done
