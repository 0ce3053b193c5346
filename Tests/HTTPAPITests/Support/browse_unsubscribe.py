"""Loads the page at argv[1] in Chromium, in the language argv[2], presses its button, and prints as JSON what was seen.

Speaks the DevTools protocol over a pipe: no port, no driver, nothing to install but Chromium. Ends with 77 without one.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

TIMEOUT = 60
OPTIONS = [
    "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]


class Browser:
    def __init__(self, program, folder, language):
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()

        def wire():
            # Chromium reads commands from descriptor 3 and writes answers to 4.
            one, other = os.dup(commands), os.dup(answers)
            os.dup2(one, 3)
            os.dup2(other, 4)

        self.process = subprocess.Popen(
            [program, *OPTIONS, "--user-data-dir=" + folder, "--accept-lang=" + language, "about:blank"],
            preexec_fn=wire, close_fds=False, start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        self.unread = b""
        self.events = []
        self.number = 0
        self.session = None

    def message(self):
        while b"\0" not in self.unread:
            piece = os.read(self.answers, 65_536)
            if not piece:
                sys.exit("the browser has gone")
            self.unread += piece
        text, _, self.unread = self.unread.partition(b"\0")
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.commands, json.dumps(command).encode() + b"\0")
        while True:
            found = self.message()
            if found.get("id") == self.number:
                if "error" in found:
                    sys.exit(f"{method}: {found['error']}")
                return found["result"]
            self.events.append(found)

    def wait(self, method):
        while True:
            for event in self.events:
                if event.get("method") == method:
                    self.events.remove(event)
                    return
            self.events.append(self.message())

    def value(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def nodes(self):
        """Role and name of each node that people with a screen reader meet."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return {node["role"]["value"]: node.get("name", {}).get("value", "") for node in nodes if not node["ignored"]}


def browse(browser, address):
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ["Page", "Runtime", "Log", "Network", "DOM", "Accessibility"]:
        browser.call(domain + ".enable")
    browser.call("Page.navigate", url=address)
    browser.wait("Page.loadEventFired")
    text = "document.querySelector('{}').textContent.trim()".format
    before = {
        "title": browser.value("document.title"), "language": browser.value("document.documentElement.lang"),
        "heading": browser.value(text("h1")), "sentence": browser.value(text("p")),
        "button": browser.nodes().get("button"),
        "height": browser.value("getComputedStyle(document.querySelector('button')).minHeight"),
        "cookies": browser.call("Network.getCookies")["cookies"],
    }
    # A press of the mouse, as a person's: a script of ours would do what the page's policy forbids to its own.
    place = json.loads(browser.value("JSON.stringify(document.querySelector('button').getBoundingClientRect())"))
    for kind in ["mousePressed", "mouseReleased"]:
        browser.call(
            "Input.dispatchMouseEvent", type=kind, x=place["x"] + place["width"] / 2,
            y=place["y"] + place["height"] / 2, button="left", clickCount=1)
    browser.wait("Page.loadEventFired")
    after = {
        "title": browser.value("document.title"), "heading": browser.value(text("h1")),
        "status": browser.nodes().get("status") is not None,
    }
    log = [
        event["params"]["entry"]["text"] for event in browser.events
        if event.get("method") == "Log.entryAdded" and "favicon" not in event["params"]["entry"].get("url", "")
    ]
    return {"before": before, "after": after, "log": log}


def main():
    program = shutil.which("chromium")
    if not program:
        sys.exit(77)
    # A browser that does not start must not hold up who waits for it.
    signal.alarm(TIMEOUT)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(program, folder, sys.argv[2])
        try:
            print(json.dumps(browse(browser, sys.argv[1])))
        finally:
            os.killpg(browser.process.pid, signal.SIGKILL)
            browser.process.wait()


main()
