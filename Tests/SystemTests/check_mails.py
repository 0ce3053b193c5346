"""Judges mails with software that shares nothing with Sluice: dkimpy for signatures, Python's email package for form.

    python3 check_mails.py --keys keys.json --expected expected.json --capture FOLDER
    python3 check_mails.py --keys keys.json --expected expected.json --maildir FOLDER

keys.json maps DNS names to TXT values. expected.json maps each envelope recipient to what his one copy must hold; see
MailExpectation.swift. A capture is what `sluice sink --capture` wrote: the octets of the wire, with a .json beside each
.eml. A maildir is what a mail server stored: lines end in LF, and the server put fields of its own on top.

Prints a line for each fault, then the totals as one line of JSON. Exit status 1 when there was a fault.
"""

import argparse
import email
import email.header
import email.policy
import email.utils
import glob
import hashlib
import json
import os
import re
import sys

import dkim
import nacl.signing  # dkimpy cannot verify ed25519 without it

LINE_OCTETS = 998  # RFC 5322 section 2.1.1
ONCE = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "List-Unsubscribe", "List-Unsubscribe-Post"]
SIGNED = ["from", "to", "subject", "date", "message-id", "mime-version", "content-type", "reply-to",
          "list-unsubscribe", "list-unsubscribe-post"]


class Mail:
    """One stored mail: its octets as they were signed, its recipient, and the faults found."""

    def __init__(self, name, octets, recipient):
        self.name, self.octets, self.recipient = name, octets, recipient
        self.faults = []

    def fault(self, text):
        self.faults.append(f"{self.name}: {text}")

    def equal(self, what, found, expected):
        if found != expected:
            start = max(0, len(os.path.commonprefix([ascii(found), ascii(expected)])) - 20)
            self.fault(f"{what}: found {shortened(found, start)}, expected {shortened(expected, start)}")


def shortened(value, start=0):
    """The value, or of a long one some characters from `start` on."""
    text = ascii(value)
    return text if len(text) <= 120 else f"...{text[start:start + 100]}... ({len(text)} characters, from {start})"


def decoded_names(field):
    """Display names of addresses. Python's newer parser puts blanks between the encoded words of a phrase; this reads
    them as RFC 2047 section 6.2 wants."""
    names = [name for name, _ in email.utils.getaddresses([re.sub(r"\r?\n", "", field)])]
    return [str(email.header.make_header(email.header.decode_header(name))) for name in names]


def unquoted(address):
    """An address's local part without its quotes, and its domain."""
    local, _, domain = address.rpartition("@")
    return (re.sub(r"\\(.)", r"\1", local[1:-1]) if local.startswith('"') else local), domain


def captured(folder):
    for path in sorted(glob.glob(os.path.join(folder, "*.eml"))):
        with open(path, "rb") as file, open(path[:-4] + ".json", encoding="utf-8") as envelope_file:
            octets, envelope = file.read(), json.load(envelope_file)
        mail = Mail(os.path.basename(path), octets, envelope["recipients"][0])
        mail.equal("recipients of the envelope", len(envelope["recipients"]), 1)
        mail.equal("octets of the envelope", envelope["octets"], len(octets))
        mail.equal("TLS", envelope["tls"], True)
        yield mail


def stored(folder):
    for path in sorted(glob.glob(os.path.join(folder, "**", "new", "*"), recursive=True)):
        with open(path, "rb") as file:
            octets = file.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        # What the server put on top, unfolded. Octets, because RFC 6532 lets addresses there be UTF-8.
        top = re.sub(r"\r\n(?=[ \t])", "", octets.partition(b"\r\nDKIM-Signature:")[0].decode()).split("\r\n")
        # Postfix's virtual(8), and Exim's envelope_to_add.
        recipients = [line.partition(":")[2].strip() for line in top
                      if line.startswith(("Delivered-To:", "Envelope-to:"))]
        received = [line for line in top if line.startswith("Received:")]
        mail = Mail(os.path.basename(path), octets, recipients[0] if recipients else "")
        mail.equal("hops", len(received), 1)
        # RFC 3848: the S stands for STARTTLS; RFC 6531 section 4.3 has the form with UTF8.
        if not any(re.search(r"\bwith (UTF8SMTPS|E?SMTPS|utf8esmtps)\b", line, re.IGNORECASE) for line in received):
            mail.fault(f"came without TLS: {received}")
        yield mail


def check_octets(mail):
    octets = mail.octets
    if b"\0" in octets:
        mail.fault("holds NUL")
    if not octets.endswith(b"\r\n"):
        mail.fault("does not end in CRLF")
    if re.search(rb"(?<!\r)\n|\r(?!\n)", octets):
        mail.fault("line ends: holds a bare CR or LF")
    longest = max(len(line) for line in octets.split(b"\r\n"))
    if longest > LINE_OCTETS:
        mail.fault(f"line of {longest} octets")
    if not octets.partition(b"\r\n\r\n")[2].isascii():
        mail.fault("body with octets above 127")


def check_signatures(mail, keys, algorithms):
    # dkimpy asks with bytes and a final dot.
    def lookup(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        return keys.get(name.rstrip("."), "").encode()

    fields = raw_fields(mail.octets)
    tags = []
    for signature in (body for name, body in fields if name == "dkim-signature"):
        pairs = [tag.partition("=") for tag in re.sub(r"\s+", "", signature).split(";") if tag]
        tags.append({name: value for name, _, value in pairs})
    mail.equal("signatures", sorted(tag.get("a", "") for tag in tags), sorted(algorithms))
    for index, tag in enumerate(tags):
        try:
            # A verifier counts the hashing of a body as its own; each signature gets a new one.
            good = dkim.DKIM(mail.octets, minkey=1024).verify(idx=index, dnsfunc=lookup)
        except dkim.DKIMException as error:
            good = False
            mail.fault(f"DKIM {tag.get('a')}: {error}")
        else:
            if not good:
                mail.fault(f"DKIM {tag.get('a')}: does not verify")
        for field in SIGNED:  # once more than it is there, so that nobody can add one
            there = sum(name == field for name, _ in fields)
            signed = tag.get("h", "").lower().split(":").count(field)
            mail.equal(f"DKIM {tag.get('a')}: {field} in h=", signed, there + 1)
        if "l" in tag:
            mail.fault("DKIM: l= leaves a part of the body unsigned")
    return len(tags)


def raw_fields(octets):
    """Names in lower case and bodies as they stand, folds included."""
    header = octets.partition(b"\r\n\r\n")[0].decode()
    return [(name.lower(), body) for name, body in re.findall(r"(?m)^([!-9;-~]+):((?:[^\r]|\r\n[ \t])*)", header)]


def parse(mail):
    """The parsed mail. RFC 6532 headers come to Python's parser as text, others as octets."""
    header = mail.octets.partition(b"\r\n\r\n")[0]
    if header.isascii():
        return email.message_from_bytes(mail.octets, policy=email.policy.default)
    return email.message_from_string(mail.octets.decode(), policy=email.policy.SMTPUTF8)


def check_defects(mail, message):
    for part in message.walk():
        part.get_payload(decode=True)  # finds defects of the transfer encoding
        for defect in part.defects:
            mail.fault(f"defect in a part: {type(defect).__name__} {defect}")
        for name, value in part.items():
            for defect in value.defects:
                # The parser flags every UTF-8 local part, although RFC 6532 allows them.
                if type(defect).__name__ == "NonASCIILocalPartDefect" and not mail.recipient.isascii():
                    continue
                mail.fault(f"defect in {name}: {type(defect).__name__} {defect}")
    for part in email.message_from_bytes(mail.octets, policy=email.policy.compat32).walk():
        part.get_payload(decode=True)
        for defect in part.defects:
            mail.fault(f"defect in a part under compat32: {type(defect).__name__} {defect}")


def structure(part):
    """As in mixed(alternative(plain,html),pdf)."""
    if not part.is_multipart():
        return part.get_content_subtype()
    return f"{part.get_content_subtype()}({','.join(structure(inner) for inner in part.iter_parts())})"


def check_content(mail, message, expected):
    for name in ONCE:
        mail.equal(f"fields named {name}", len(message.get_all(name, [])), 1)
    if len(message.get_all("To", [])) != 1 or len(message.get_all("From", [])) != 1:
        return
    fields = dict(raw_fields(mail.octets))
    to = [(address.username, address.domain) for address in message["To"].addresses]
    mail.equal("To", to, [unquoted(expected.get("to", mail.recipient))])
    mail.equal("name in To", decoded_names(fields["to"]), [expected.get("to_name", "")])
    sender = [address.addr_spec for address in message["From"].addresses]
    mail.equal("From", list(zip(decoded_names(fields["from"]), sender)), [tuple(expected["from"])])
    mail.equal("subject", message["Subject"], expected["subject"])
    mail.equal("structure", structure(message), expected["structure"])
    if email.utils.parsedate_to_datetime(message["Date"]) is None:
        mail.fault("no date")
    if not re.fullmatch(r"<https://[!-;=?-~]+>(,\s*<mailto:[!-;=?-~]+>)?", message["List-Unsubscribe"]):
        mail.fault(f"List-Unsubscribe: {message['List-Unsubscribe']}")
    mail.equal("List-Unsubscribe-Post", message["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
    reply_to = message["Reply-To"].addresses if message["Reply-To"] else []
    mail.equal("Reply-To", [str(address) for address in reply_to], expected.get("reply_to", []))
    for name, value in expected.get("headers", {}).items():
        mail.equal(name, message[name], value)

    bodies, attachments = {}, []
    for part in message.walk():
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        if part.get_content_disposition() is None:
            mail.equal("charset", part.get_content_charset(), "utf-8")
            text = content.decode("utf-8")
            if re.search(r"(?<!\r)\n|\r(?!\n)", text):
                mail.fault("a decoded text has a bare CR or LF")
            bodies[part.get_content_subtype()] = text.replace("\r\n", "\n")
            if "encodings" in expected:
                mail.equal(
                    f"encoding of {part.get_content_subtype()}", part["Content-Transfer-Encoding"],
                    expected["encodings"][part.get_content_subtype()])
        else:
            attachments.append({
                "filename": part.get_filename(), "type": part.get_content_type(),
                "disposition": part.get_content_disposition(),
                "content_id": (part["Content-ID"] or "").strip("<>"), "octets": len(content),
                "sha256": hashlib.sha256(content).hexdigest()})
    mail.equal("text", bodies.get("plain"), expected.get("text"))
    mail.equal("html", bodies.get("html"), expected.get("html"))
    mail.equal("attachments", attachments, expected.get("attachments", []))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--keys", required=True)
    arguments.add_argument("--expected", required=True)
    source = arguments.add_mutually_exclusive_group(required=True)
    source.add_argument("--capture")
    source.add_argument("--maildir")
    options = arguments.parse_args()
    with open(options.keys, encoding="utf-8") as file:
        keys = json.load(file)
    with open(options.expected, encoding="utf-8") as file:
        expected = json.load(file)

    totals = {"mails": 0, "signatures": 0, "faults": 0}
    recipients, identifiers = set(), set()
    for mail in captured(options.capture) if options.capture else stored(options.maildir):
        totals["mails"] += 1
        check_octets(mail)
        copy = expected.get(mail.recipient)
        if copy is None:
            mail.fault(f"nobody expected a mail to {shortened(mail.recipient)}")
        else:
            mail.name += f" ({copy['shape']})"
            if mail.recipient in recipients:
                mail.fault("a second copy")
            recipients.add(mail.recipient)
            totals["signatures"] += check_signatures(mail, keys, copy["signatures"])
            try:
                message = parse(mail)
                check_defects(mail, message)
                check_content(mail, message, copy)
                if message["Message-ID"] in identifiers:
                    mail.fault("its Message-ID was seen before")
                identifiers.add(message["Message-ID"])
            except Exception as error:  # a parser that gives up is a fault of the mail
                mail.fault(f"{type(error).__name__}: {error}")
        totals["faults"] += len(mail.faults)
        for fault in mail.faults:
            print(fault)
    for recipient in sorted(set(expected) - recipients):
        totals["faults"] += 1
        print(f"{expected[recipient]['shape']}: no mail to {shortened(recipient)}")
    print(json.dumps(totals))
    return 1 if totals["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
