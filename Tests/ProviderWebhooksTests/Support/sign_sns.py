"""Signs messages as Amazon SNS does, by its documentation, with the cryptography package.

Reads {"messages": [{...}], "days": n}: messages without a signature, each with the SignatureVersion it is to have, and for how
many days from today the certificate is good. Writes {"certificate": PEM, "messages": [{...}]}.
"""
import base64
import datetime
import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

NOTIFICATION = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
CONFIRMATION = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]

asked = json.load(sys.stdin)
key = rsa.generate_private_key(public_exponent=65537, key_size=asked.get("bits", 2048))
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=asked["days"])
certificate = (
    x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    .serial_number(x509.random_serial_number()).not_valid_before(end - datetime.timedelta(days=30)).not_valid_after(end)
    .sign(key, hashes.SHA256()))

for message in asked["messages"]:
    fields = NOTIFICATION if message["Type"] == "Notification" else CONFIRMATION
    text = "".join(f"{field}\n{message[field]}\n" for field in fields if message.get(field) is not None)
    digest = hashes.SHA1() if message["SignatureVersion"] == "1" else hashes.SHA256()
    signature = key.sign(text.encode(), padding.PKCS1v15(), digest)
    message["Signature"] = base64.b64encode(signature).decode()

json.dump({"certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(), "messages": asked["messages"]},
          sys.stdout)
