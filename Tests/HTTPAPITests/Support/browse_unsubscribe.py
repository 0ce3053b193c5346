"""Loads the page at argv[1] in Chromium, in the language argv[2], presses its button, and prints as JSON what was seen.

Ends with 77 where there is no Chromium.
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "TestSupport"))
import browser as chromium


def browse(browser, address):
    browser.open_tab("Page", "Runtime", "Log", "Network", "DOM", "Accessibility")
    browser.load(address)
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


chromium.run(lambda browser: browse(browser, sys.argv[1]), "--accept-lang=" + sys.argv[2])
