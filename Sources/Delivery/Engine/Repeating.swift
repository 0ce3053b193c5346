import Logging

/// Background work that is done again and again until its task is cancelled.
struct Repeating: Sendable {
    enum Start: Sendable {
        case atOnce
        /// After the first pause.
        case later
    }

    let logger: Logger

    /// - Parameters:
    ///   - pause: between two times; a failure is logged and waits as long.
    ///   - failure: what the log says then.
    func every(
        _ pause: Duration, _ start: Start = .later, orSay failure: Logger.Message, _ work: () async throws -> Void
    ) async {
        if start == .later { try? await Task.sleep(for: pause) }
        while !Task.isCancelled {
            do {
                try await work()
            } catch {
                // A node that ends needs none.
                guard !Task.isCancelled else { return }
                logger.warning(failure, metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: pause)
        }
    }
}
