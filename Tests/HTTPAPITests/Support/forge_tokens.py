"""Makes session tokens with PyJWT, as somebody would who attacks the server, and shows each of them to it.

Reads one JSON object from standard input: `url`, `token` (one that the server has made), `kid`, `private` and `claims`. Prints one
JSON object: the answers by name. Exits with 77 where PyJWT is missing.
"""

import base64
import hashlib
import hmac
import json
import sys
import time
import urllib.error
import urllib.request

try:
    import jwt
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
except ImportError:
    sys.exit(77)

given = json.load(sys.stdin)
url, kid = given["url"], given["kid"]
private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(given["private"]))
public = private.public_key()
stranger = ed25519.Ed25519PrivateKey.generate()

raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def encoded(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def jwk(key):
    octets = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": encoded(octets)}


def claims(**changed):
    now = int(time.time())
    return {**given["claims"], "iat": now, "exp": now + 3600, **changed}


def signed(payload, key=private, algorithm="EdDSA", **header):
    fields = {"kid": kid, **header}
    return jwt.encode(payload, key, algorithm=algorithm, headers={k: v for k, v in fields.items() if v is not None})


def parts(header, payload):
    return encoded(json.dumps(header).encode()) + "." + encoded(json.dumps(payload).encode())


def by_hmac(secret, digest=hashlib.sha256, **header):
    """By hand: PyJWT itself refuses to take a public key for a secret."""
    text = parts({"alg": "HS256", "typ": "JWT", "kid": kid, **header}, claims())
    return text + "." + encoded(hmac.new(secret, text.encode(), digest).digest())


def by_hand(header, key=private):
    """PyJWT writes no names of keys but texts."""
    text = parts({"alg": "EdDSA", "typ": "JWT", **header}, claims())
    return text + "." + encoded(key.sign(text.encode()))


rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ec_key = ec.generate_private_key(ec.SECP256R1())
now = int(time.time())

forged = {
    "none": signed(claims(), None, "none"),
    "none, by us": signed(claims(), None, "none").rstrip(".") + "." + signed(claims()).split(".")[2],
    "None": parts({"alg": "None", "typ": "JWT", "kid": kid}, claims()) + ".",
    "no algorithm": parts({"typ": "JWT", "kid": kid}, claims()) + ".",
    "public key as secret": by_hmac(raw),
    "public key as secret, in hexadecimal": by_hmac(raw.hex().encode()),
    "public key as secret, PEM": by_hmac(pem),
    "public key as secret, PEM without its end": by_hmac(pem.strip()),
    "public key as secret, DER": by_hmac(der),
    "public key as secret, JWK": by_hmac(json.dumps(jwk(private)).encode()),
    "no secret": by_hmac(b""),
    "HS512": by_hmac(raw, hashlib.sha512, alg="HS512"),
    "RS256": signed(claims(), rsa_key, "RS256"),
    "PS256": signed(claims(), rsa_key, "PS256"),
    "ES256": signed(claims(), ec_key, "ES256"),
    "another key": signed(claims(), stranger),
    "expired": signed(claims(iat=now - 7200, exp=now - 3600)),
    "expired by a second": signed(claims(iat=now - 3601, exp=now - 1)),
    "for ever": signed(claims(exp=now + 10**9)),
    "no end": signed({k: v for k, v in claims().items() if k != "exp"}),
    "wrong audience": signed(claims(aud="another api")),
    "audiences": signed(claims(aud=["sluice api", "another api"])),
    "no audience": signed({k: v for k, v in claims().items() if k != "aud"}),
    "wrong issuer": signed(claims(iss="attacker")),
    "another user": signed(claims(sub="usr_1000000")),
    "another session": signed(claims(sid=given["claims"]["sid"] + 1_000_000)),
    "another account": signed(claims(acc=given["claims"]["acc"] + 1_000_000)),
    "installation": signed(claims(acc=0)),
    "kid of a file": signed(claims(), stranger, kid="../../../../../../dev/null"),
    "kid of a file, no secret": by_hmac(b"", kid="../../../../../../dev/null"),
    "kid of SQL": signed(claims(), stranger, kid="' UNION SELECT 'x', '\\x00', now() --"),
    "kid of SQL, by us": signed(claims(), kid=kid + "' OR '1'='1"),
    "kid of an address": signed(claims(), stranger, kid=url + "/openapi.yaml"),
    "kid of another key": signed(claims(), kid="AAAAAAAAAAA"),
    "kid of no key": signed(claims(), kid=None),
    "empty kid": signed(claims(), kid=""),
    "kid with NUL": signed(claims(), kid=kid + "\0"),
    "kid as a number": by_hand({"kid": 1}),
    "kid as a list": by_hand({"kid": [kid]}),
    "own key in the header": signed(claims(), stranger, jwk=jwk(stranger)),
    "own key in the header, without kid": signed(claims(), stranger, kid=None, jwk=jwk(stranger)),
    "our key in the header": signed(claims(), jwk=jwk(private)),
    "jku": signed(claims(), stranger, jku=url + "/keys"),
    "jku, by us": signed(claims(), jku=url + "/keys"),
    "x5u": signed(claims(), stranger, x5u=url + "/certificate"),
    "x5u, by us": signed(claims(), x5u=url + "/certificate"),
    "x5c": signed(claims(), stranger, x5c=["MIIB"]),
    "crit": signed(claims(), crit=["exp"]),
    "another type": signed(claims(), typ="at+jwt"),
}

# The payload of one, under the signature of another.
head, body, signature = given["token"].split(".")
changed = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
changed["acc"] += 1
forged["changed account"] = ".".join([head, encoded(json.dumps(changed).encode()), signature])
forged["no signature"] = head + "." + body + "."
forged["encrypted form"] = given["token"] + ".x.y"


def ask(token, **headers):
    request = urllib.request.Request(url + "/v1/session", headers=headers or {
        "Cookie": "__Host-sluice-token=" + token})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code if json.load(error).get("code") == "unauthorized" else -error.code


answers = {}
for name, token in forged.items():
    assert len(token) <= 1024, f"{name} is refused for its length"
    answers[name] = ask(token)
for name in ["none", "public key as secret", "another key"]:
    answers[name + ", as a bearer"] = ask("", Authorization="Bearer " + forged[name])

read = jwt.decode(
    given["token"], pem, algorithms=["EdDSA"], audience="sluice api", issuer="sluice",
    options={"require": ["exp", "iat", "sub", "aud", "iss"]})
print(json.dumps({
    "forged": answers,
    "honest": ask(given["token"]),
    # What differs from it in one point each is above.
    "ours": ask(signed(claims())),
    "claims": read,
    "header": jwt.get_unverified_header(given["token"]),
    "public": encoded(raw),
}))
