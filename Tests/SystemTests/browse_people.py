"""Goes through the pages of people at the server argv[1] in Chromium, on a phone's screen, as somebody who has the mailbox argv[2], a
folder of mails: joins by the link of an invitation, signs out and in, chooses a new password, opens an account, and signs in there
with a second factor. Prints as JSON what was seen, and the secrets that nobody else may see.

Ends with 77 where there is no Chromium.
"""
import base64
import email
import email.policy
import hashlib
import hmac
import json
import pathlib
import re
import signal
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "TestSupport"))
import browser as chromium

WIDTH = 360
PASSWORDS = ["violet tram 19 eats soup", "rope lantern 42 goose"]


class Mailbox:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.seen = set()

    def next(self, address, pattern):
        """What the first group finds in the next mail to an address."""
        for _ in range(200):
            for path in sorted(self.folder.glob("*.eml")):
                if path in self.seen:
                    continue
                mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                if mail["To"] and address in mail["To"]:
                    self.seen.add(path)
                    return re.search(pattern, mail.get_body(("plain",)).get_content())[1]
            time.sleep(0.1)
        sys.exit(f"no mail came for {address}")

    def code(self, address):
        return self.next(address, r"\b([0-9]{3} [0-9]{3})\b")


class Person:
    def __init__(self, browser):
        self.browser = browser
        self.pages = []

    def shown(self):
        """The form or section that is shown, and the problem."""
        return self.browser.value("""JSON.stringify([
            [...document.querySelectorAll('main > form, main > section')].filter(part => !part.hidden).map(part => part.id),
            document.getElementById('problem')?.hidden === false ? document.getElementById('problem').textContent : null])""")

    def wait(self, part, problem=None):
        for _ in range(200):
            if self.shown() == json.dumps([[part] if part else [], problem], separators=(",", ":")):
                break
            time.sleep(0.1)
        else:
            sys.exit(f"waited for {part} {problem}, and saw {self.shown()}")
        self.pages.append({
            "path": self.browser.value("location.pathname"), "part": part, "problem": problem,
            "width": self.browser.value("document.documentElement.scrollWidth"),
            "script_cookies": self.browser.value("document.cookie"),
            "unnamed": self.browser.value(
                "[...document.querySelectorAll('input')].filter(input => input.labels.length !== 1).length"),
            "address": self.browser.value("location.href"),
        })

    def fill(self, **values):
        """By the keyboard, as people do."""
        for name, text in values.items():
            self.browser.value(f"document.querySelector('form:not([hidden]) [name={name}]').focus()")
            self.browser.value("document.activeElement.select()")
            self.browser.call("Input.insertText", text=text)
        self.press("button:not([type=button])")

    def press(self, button):
        """By the mouse."""
        place = json.loads(self.browser.value(
            f"(button => {{ button.scrollIntoView(); return JSON.stringify(button.getBoundingClientRect()) }})"
            f"(document.querySelector('main > :not([hidden]) {button}'))"))
        for kind in ["mousePressed", "mouseReleased"]:
            self.browser.call(
                "Input.dispatchMouseEvent", type=kind, x=place["x"] + place["width"] / 2,
                y=place["y"] + place["height"] / 2, button="left", clickCount=1)

    def ask(self, path, **body):
        """What no page asks yet, as one would: with the session's cookie."""
        answer = self.browser.call("Runtime.evaluate", awaitPromise=True, returnByValue=True, expression=f"""(async () => {{
            const session = await (await fetch("/v1/session")).json();
            const answer = await fetch({json.dumps(path)}, {{
                method: "POST", body: {json.dumps(json.dumps(body))},
                headers: {{ "Content-Type": "application/json", "X-CSRF-Token": session.csrf_token }} }});
            return await answer.text();
        }})()""")
        return json.loads(answer["result"]["value"])

    def inside(self):
        self.wait("inside")
        return self.browser.value("document.getElementById('inside').innerText")


def one_time_code(secret):
    """RFC 6238, as an app on a phone shows it."""
    step = int(time.time()) // 30
    mac = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1)
    start = mac[-1] & 15
    return f"{(int.from_bytes(mac[start:start + 4], 'big') & 0x7fffffff) % 1_000_000:06}"


def reports(browser):
    """What the browser says of contents that a policy forbids."""
    issues = [
        json.dumps(event["params"]["issue"]["details"]["contentSecurityPolicyIssueDetails"]) for event in browser.events
        if event.get("method") == "Audits.issueAdded"
        and event["params"]["issue"]["code"] == "ContentSecurityPolicyIssue"
    ]
    entries = [
        event["params"]["entry"]["text"] for event in browser.events
        if event.get("method") == "Log.entryAdded" and "Content Security Policy" in event["params"]["entry"]["text"]
    ]
    return issues + entries


def browse(browser, server, mails):
    # Four mails and as many passwords take their time.
    signal.alarm(240)
    browser.open_tab("Page", "Runtime", "Log", "Network", "Audits")
    browser.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=640, deviceScaleFactor=2, mobile=True)
    person, mailbox, told = Person(browser), Mailbox(mails), []

    link = mailbox.next("bo@example.org", r"(https://\S+/join#\S+)")
    browser.load(link)
    person.wait("join")
    person.fill(password="short")
    person.wait("join", "This password is too short: 12 characters at least.")
    person.fill(name="Bo", password=PASSWORDS[0])
    told.append(person.inside())
    cookies = browser.call("Network.getCookies")["cookies"]
    person.press("button")
    person.wait("sign-in")
    browser.load(link)
    person.wait("join")
    person.fill(password=PASSWORDS[0])
    person.wait("join", "This invitation is used, taken back or too old. Ask for another one.")
    browser.load(server + "/join")
    person.wait(None, "The link is not complete. Open it from the mail again.")

    browser.load(server + "/sign-in")
    person.wait("sign-in")
    person.fill(email="bo@example.org", password=PASSWORDS[1])
    person.wait("sign-in", "There is no user with this address and this password.")
    person.fill(email="bo@example.org", password=PASSWORDS[0])
    person.wait("code")
    codes = [mailbox.code("bo@example.org")]
    person.fill(code="1")
    person.wait("code", "This is not the code of the mail. Look again.")
    person.fill(code=codes[-1])
    told.append(person.inside())

    browser.load(server + "/password")
    person.wait("ask")
    person.fill(email="bo@example.org")
    person.wait("code")
    codes.append(mailbox.code("bo@example.org"))
    person.fill(code=codes[-1], password=PASSWORDS[1])
    person.wait("done")
    browser.load(server + "/sign-in")
    # The new password has ended the session.
    person.wait("sign-in")

    browser.load(server + "/sign-up")
    person.wait("ask")
    person.fill(email="cy@example.org", password=PASSWORDS[1], account="Acme <b>")
    person.wait("ask", "A name has 1 to 80 characters, no link, no telephone number, and none of : / @ \\ < >.")
    person.fill(account="Acme")
    person.wait("code")
    codes.append(mailbox.code("cy@example.org"))
    person.fill(code=codes[-1])
    told.append(person.inside())

    app = person.ask("/v1/me/second-factor", password=PASSWORDS[1])["secret"]
    shown = one_time_code(app)
    recovery = person.ask("/v1/me/second-factor/confirm", code=shown)["recovery_codes"]
    person.press("button")
    person.wait("sign-in")
    person.fill(email="cy@example.org", password=PASSWORDS[1])
    person.wait("second-factor")
    # It has counted once.
    person.fill(code=shown)
    person.wait("second-factor", "This is not a code that can still be used. Wait for the next one.")
    person.press("button[type=button]")
    person.wait("recovery")
    person.fill(recovery_code=recovery[0].lower())
    told.append(person.inside())

    browser.value("0")
    requests = [
        event["params"]["request"] for event in browser.events if event.get("method") == "Network.requestWillBeSent"]
    found = reports(browser)
    browser.events.clear()
    breach = browser.call(
        "Runtime.evaluate", returnByValue=True,
        expression="try { document.body.innerHTML = '<i>x</i>'; 'let through' } catch { 'refused' }")
    return {
        "told": told, "pages": person.pages, "reports": found, "breach": breach["result"].get("value"),
        "cookies": [
            {key: cookie.get(key) for key in ["name", "httpOnly", "secure", "sameSite", "path"]} for cookie in cookies],
        "urls": [request["url"] for request in requests],
        "foreign": [request["url"] for request in requests if not request["url"].startswith(server + "/")],
        "secrets": [link.split("#")[1], *PASSWORDS, *[cookie["value"] for cookie in cookies], app, recovery[0]],
        "codes": codes,
    }


server = sys.argv[1]
host = urllib.parse.urlsplit(server).hostname
chromium.run(
    lambda browser: browse(browser, server, sys.argv[2]),
    f"--host-resolver-rules=MAP {host} 127.0.0.1", "--ignore-certificate-errors")
