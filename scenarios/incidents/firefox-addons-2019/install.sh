# Whether the signature of the add-on is good now.
exec openssl cms -verify -binary -inform DER -in /var/profile/addon.sig -content /var/profile/addon \
    -CAfile /etc/addon/root.pem -purpose any ${VERIFY:-} -out /dev/null
