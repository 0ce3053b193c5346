"""Signs in at the server argv[1] in Chromium with the address argv[2] and the password on standard input, loads the pages
argv[3…], and prints as JSON what scripts and DevTools see. The host of argv[1] is looked for on this machine.

Ends with 77 where there is no Chromium.
"""
import json
import pathlib
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "TestSupport"))
import browser as chromium

SIGN_IN = """fetch("/v1/session", {method: "POST", headers: {"Content-Type": "application/json"}, body: %s})
    .then(answer => answer.status)"""


def evaluate(browser, expression):
    found = browser.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
    return found["result"].get("value")


def reports(browser):
    """What the browser says of contents that a policy forbids."""
    browser.value("0")
    issues = [
        event["params"]["issue"]["details"]["contentSecurityPolicyIssueDetails"]
        for event in browser.events
        if event.get("method") == "Audits.issueAdded"
        and event["params"]["issue"]["code"] == "ContentSecurityPolicyIssue"
    ]
    entries = [
        event["params"]["entry"]["text"]
        for event in browser.events
        if event.get("method") == "Log.entryAdded" and "Content Security Policy" in event["params"]["entry"]["text"]
    ]
    return [json.dumps(issue) for issue in issues] + entries


def browse(browser, server, address, password, paths):
    browser.open_tab("Page", "Runtime", "Log", "Network", "Audits")
    browser.load(server + "/sign-in")
    status = evaluate(browser, SIGN_IN % json.dumps(json.dumps({"email": address, "password": password})))
    inside = {
        "status": status,
        "script_cookies": browser.value("document.cookie"),
        "store_cookies": evaluate(browser, "window.cookieStore ? cookieStore.getAll().then(all => all.length) : 0"),
        "session": evaluate(browser, "fetch('/v1/session').then(answer => answer.status)"),
        "cookies": [
            {key: cookie.get(key) for key in ["name", "httpOnly", "secure", "sameSite", "path"]}
            for cookie in browser.call("Network.getCookies")["cookies"]
        ],
    }
    browser.events.clear()
    pages = []
    for path in paths:
        browser.load(server + path)
        pages.append({
            "path": path,
            "text": browser.value("document.body.innerText"),
            "script_cookies": browser.value("document.cookie"),
        })
    found = reports(browser)
    browser.events.clear()
    # The policy holds, and a breach of it is seen: else nothing would be found above either.
    breach = evaluate(browser, "fetch('/health').then(() => 'let through', () => 'refused')")
    return {"inside": inside, "pages": pages, "reports": found, "breach": breach, "breach_reports": reports(browser)}


server = sys.argv[1]
host = urllib.parse.urlsplit(server).hostname
chromium.run(
    lambda browser: browse(browser, server, sys.argv[2], sys.stdin.read().strip(), sys.argv[3:]),
    f"--host-resolver-rules=MAP {host} 127.0.0.1", "--ignore-certificate-errors")
