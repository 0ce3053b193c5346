"""Drives Chromium by the DevTools protocol over a pipe: no port, no driver, nothing to install but Chromium."""
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
    def __init__(self, program, folder, options):
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()

        def wire():
            # Chromium reads commands from descriptor 3 and writes answers to 4.
            one, other = os.dup(commands), os.dup(answers)
            os.dup2(one, 3)
            os.dup2(other, 4)

        self.process = subprocess.Popen(
            [program, *OPTIONS, "--user-data-dir=" + folder, *options, "about:blank"],
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

    def open_tab(self, *domains):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in domains:
            self.call(domain + ".enable")

    def load(self, address):
        self.call("Page.navigate", url=address)
        self.wait("Page.loadEventFired")


def run(browse, *options):
    """Prints as JSON what `browse` makes of a browser. Ends with 77 where there is none."""
    program = shutil.which("chromium")
    if not program:
        sys.exit(77)
    # A browser that does not start must not hold up who waits for it.
    signal.alarm(TIMEOUT)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(program, folder, options)
        try:
            print(json.dumps(browse(browser)))
        finally:
            os.killpg(browser.process.pid, signal.SIGKILL)
            browser.process.wait()
