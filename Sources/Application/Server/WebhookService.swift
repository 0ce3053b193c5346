import Postgres
import ServiceLifecycle
import Webhooks

/// Tells webhooks what happens until the server ends, and knows which accounts want to be told.
struct WebhookService: Service {
    /// Nil on a node that only delivers mail: others tell what it writes.
    let worker: WebhookWorker?
    let interest: WebhookInterest
    /// For a small question now and then that must not wait for slow webhooks.
    let records: PostgresPool

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await interest.keepFresh(records) }
                if let worker { tasks.addTask { await worker.run() } }
            }
        }
    }
}
