# Takes the controller's image where its signature is good, as at every join of a controller with another version.
exec openssl cms -verify -binary -inform DER -in /run/ap/image.sig -content /run/ap/image -CAfile /etc/ap/root.pem \
    -purpose any -out /dev/null
