import Foundation
import MailTypes
import Testing
import Vault

/// The unsubscribe page in a real browser: Chromium, where it and its driver are installed.
@Suite struct UnsubscribeBrowserTests {
    /// WebDriver by hand: title, language, heading and button of the page, then a click. Ends with 77 without a browser, and
    /// where nobody asks for it: a browser that does not start keeps its driver waiting.
    private static let script = """
        import json, os, re, shutil, subprocess, sys, tempfile, urllib.request
        driver = shutil.which("chromedriver")
        if not driver or not shutil.which("chromium") or "SLUICE_BROWSER" not in os.environ:
            sys.exit(77)
        folder = tempfile.TemporaryDirectory()
        process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            port = None
            for line in process.stdout:
                found = re.search(r"started successfully on port (\\d+)", line)
                if found:
                    port = found.group(1)
                    break
            def call(method, path, body=None):
                data = json.dumps(body).encode() if body is not None else None
                request = urllib.request.Request("http://127.0.0.1:" + port + path, data, method=method)
                return json.load(urllib.request.urlopen(request, timeout=60))["value"]
            options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--accept-lang=" + sys.argv[2], "--lang=" + sys.argv[2],
                "--user-data-dir=" + folder.name],
                "prefs": {"intl.accept_languages": sys.argv[2]}}
            session = call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
            base = "/session/" + session["sessionId"]
            def look():
                def element(selector):
                    found = call("POST", base + "/element", {"using": "css selector", "value": selector})
                    return base + "/element/" + list(found.values())[0]
                def script(text):
                    return call("POST", base + "/execute/sync", {"script": text, "args": []})
                return element, script
            call("POST", base + "/url", {"url": sys.argv[1]})
            element, script = look()
            before = {"title": call("GET", base + "/title"), "language": script("return document.documentElement.lang"),
                "heading": call("GET", element("h1") + "/text"), "sentence": call("GET", element("p") + "/text"),
                "button": call("GET", element("button") + "/computedlabel"),
                "role": call("GET", element("button") + "/computedrole"),
                "font": call("GET", element("button") + "/css/min-height"),
                "cookies": call("GET", base + "/cookie")}
            call("POST", element("button") + "/click", {})
            after = {"title": call("GET", base + "/title"), "heading": call("GET", element("h1") + "/text"),
                "status": call("GET", element("p") + "/computedrole")}
            log = [entry["message"] for entry in call("POST", base + "/se/log", {"type": "browser"})
                if "favicon" not in entry["message"]]
            call("DELETE", base)
            print(json.dumps({"before": before, "after": after, "log": log}))
        finally:
            process.terminate()
            process.wait()
        """

    @Test func `a browser shows the page in its language, and its button unsubscribes`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let id = try await api.sent(1)
            try await fixture.deliver(id, of: customer.account)
            let keys = try await fixture.vault.accountKeys(customer.account)
            let token = RecipientToken(
                account: customer.account, campaign: try #require(CampaignID(id)),
                fingerprint: keys.fingerprinter.fingerprint(try EmailAddress("person0@example.org"))
            ).text(signedWith: keys)
            let isSeen = try await fixture.withServer { port in
                let (status, output) = try await Self.browse("http://localhost:\(port)/u/\(token)", language: "de")
                guard status != 77 else {
                    print("skipped: no chromium with chromedriver, or SLUICE_BROWSER is not set")
                    return false
                }
                try #require(status == 0, "\(output)")
                let seen = try JSON(parsing: output)
                let before = seen["before"]
                #expect(before["title"] == "Abmelden" && before["heading"] == "Abmelden")
                #expect(before["language"] == "de")
                #expect(before["sentence"] == "Möchten Sie keine Nachrichten von shop.example mehr erhalten?")
                #expect(before["button"] == "Abmelden" && before["role"] == "button")
                // The policy lets the page's own style through.
                #expect(before["font"] == "44px")
                #expect(before["cookies"] == .list([]))
                #expect(seen["after"]["title"] == "Sie sind abgemeldet")
                #expect(seen["after"]["heading"] == "Sie sind abgemeldet" && seen["after"]["status"] == "status")
                #expect(seen["log"] == .list([]))
                return true
            }
            guard isSeen else { return }
            let found = try await api.get("/v1/suppressions?address=person0@example.org").json["data"]
            #expect(found[0]["reason"] == "unsubscribe")
        }
    }

    private static func browse(_ url: String, language: String) async throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script, url, language]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        // Reads on a thread of its own: the server answers on those of the test.
        return await Task.detached {
            let output = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return (process.terminationStatus, String(decoding: output, as: UTF8.self))
        }.value
    }
}
