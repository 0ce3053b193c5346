import Feedback
import Foundation
import HTTPTypes
import Hummingbird
import MailTypes
import NIOCore
import Postgres

/// What is reached without an API key: health, the API's description, and the page behind List-Unsubscribe.
struct PublicRoutes: Sendable {
    let records: PostgresPool
    let unsubscriber: Unsubscriber
    /// The text of docs/openapi.yaml.
    let openAPI: String

    func add(to router: Hummingbird.Router<APIContext>) {
        router.get("health", use: health)
        router.get("openapi.yaml") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/yaml"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: openAPI)))
        }
        router.get("u/:token", use: confirm)
        router.post("u/:token", use: unsubscribe)
    }

    private func health(_ request: Request, _ context: APIContext) async throws -> Response {
        do {
            try await records.query("SELECT 1")
        } catch {
            var problem = Problem(.serviceUnavailable, "database_unavailable", "The database cannot be reached.")
            problem.retryAfter = 2
            throw problem
        }
        return Idempotency.Answer(status: .ok, body: #"{"status":"ok"}"#).response()
    }

    /// Only asks: mail scanners follow links, and a visit must not unsubscribe anybody (RFC 8058 §3.1).
    private func confirm(_ request: Request, _ context: APIContext) async throws -> Response {
        guard try await unsubscriber.recognises(token(context)) else { throw Problem.notFound }
        return page(
            "Unsubscribe", #"<form method="post"><button type="submit">Stop these messages</button></form>"#)
    }

    private func unsubscribe(_ request: Request, _ context: APIContext) async throws -> Response {
        _ = try await request.wholeBody(limit: APILimits.unsubscribeBodyBytes, context)
        guard try await unsubscriber.unsubscribe(token(context)) else { throw Problem.notFound }
        return page("Done", "<p>You will get no more of these messages.</p>")
    }

    private func token(_ context: APIContext) throws -> String {
        let token = try context.pathParameter("token")
        guard token.utf8.count <= APILimits.tokenBytes else { throw Problem.notFound }
        return token
    }

    private func page(_ title: String, _ content: String) -> Response {
        let html = """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>\(title)</title>\
            <meta name="viewport" content="width=device-width"><h1>\(title)</h1>\(content)</html>
            """
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/html; charset=utf-8",
                .contentSecurityPolicy: "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(string: html)))
    }
}
