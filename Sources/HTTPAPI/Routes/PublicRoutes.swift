import Foundation
import HTTPTypes
import Hummingbird
import MailTypes
import NIOCore
import Postgres

/// What is reached without an API key: health and the API's description.
struct PublicRoutes: Sendable {
    let records: PostgresPool
    /// The text of docs/openapi.yaml.
    let openAPI: String

    func add(to routes: OperationRoutes) {
        routes.on(.health, use: health)
        routes.on(.openAPI) { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/yaml"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: openAPI)))
        }
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
}
