import Foundation
import TestPeers
import Testing

@testable import Webhooks

/// The verifiers that customers use say the same as ours: `standardwebhooks` and `svix` from PyPI, where they are installed.
struct PythonTests {
    private static let script = #"""
        import base64, json, sys
        name = sys.argv[1]
        if name == "standardwebhooks":
            from standardwebhooks.webhooks import Webhook, WebhookVerificationError
        else:
            from svix.webhooks import Webhook, WebhookVerificationError
        if len(sys.argv) == 2: sys.exit(0)
        given = json.load(sys.stdin)
        body = base64.b64decode(given["body"])
        for secret in given["secrets"]:
            Webhook(secret).verify(body, given["headers"])
        for wrong in (body + b" ", body[:-1]):
            try:
                Webhook(given["secrets"][0]).verify(wrong, given["headers"])
            except WebhookVerificationError:
                continue
            sys.exit("a changed body verified")
        print("verified", len(given["secrets"]))
        """#

    private static func python(_ arguments: [String], input: Data = Data()) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script] + arguments
        let (stdin, stdout) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stdout
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: input)
        try stdin.fileHandleForWriting.close()
        let text = String(decoding: stdout.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test(arguments: ["standardwebhooks", "svix"])
    func `a customer's library verifies what is sent, with both secrets of a rotation`(library: String) async throws {
        guard try Self.python([library]).status == 0 else {
            print("skipped: python3 has no module \(library); pip install \(library)")
            return
        }
        let server = try await HookServer()
        let fixture = try await WebhookFixture.make()
        let account = try await fixture.account()
        let (endpoint, first) = try await fixture.endpoints.create(account, url: server.url, types: .all)
        let (_, second) = try await fixture.endpoints.rotate(account, endpoint.id)
        try await fixture.append((0..<30).map { .sample($0) }, account)
        _ = try await fixture.worker().drain()
        let message = try #require(server.messages.first)
        let signatures = message.header("webhook-signature")?.split(separator: " ").count
        #expect(signatures == 2)
        var headers: [String: String] = [:]
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] { headers[name] = message.header(name) }
        let given: [String: Any] = [
            "secrets": [first.text, second.text], "headers": headers,
            "body": Data(message.body).base64EncodedString(),
        ]
        let result = try Self.python([library, "verify"], input: JSONSerialization.data(withJSONObject: given))
        #expect(result.text == "verified 2\n")
        #expect(result.status == 0)
        try await server.close()
    }
}
