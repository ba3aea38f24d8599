# The controller's image, signed when it was built; then the access point goes about its work, which nginx stands for.
set -eu
cd /run/ap
echo 'the next image' >image
openssl cms -sign -binary -in image -signer /etc/ap/signer.pem -inkey /etc/ap/signer.key -outform DER -out image.sig
exec nginx -e stderr -c /etc/ap/nginx.conf
