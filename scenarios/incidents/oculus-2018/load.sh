# Loads one program, as the system does: only where its signature is good. With a timestamp that is as of the day on
# which it was signed, without one as of now.
set -u
set -- "$1" ${COUNTERSIGNED:+-attime 1517443200}
program=$1
shift
exec openssl cms -verify -binary -inform DER -in "/var/app/$program.sig" -content "/var/app/$program" \
    -CAfile /etc/vr/root.pem -purpose any "$@" -out /dev/null
