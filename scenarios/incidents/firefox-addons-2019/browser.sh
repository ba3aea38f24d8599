# An add-on is signed before anything else, as if it had come from the store; then the browser looks at it at start and
# once a day, and switches it off where its signature is not good.
set -u
cd /var/profile
echo 'an add-on' >addon
openssl cms -sign -binary -in addon -signer /etc/addon/signer.pem -certfile /etc/addon/ca.pem \
    -inkey /etc/addon/signer.key -outform DER -out addon.sig || exit 1
while :; do
    if sh /srv/install.sh; then touch enabled; else rm -f enabled; fi
    echo 'add-ons checked'
    sleep 86400
done
