import NIOSSL
import Synchronization

/// TLS contexts, each made once in a process.
enum SMTPClientTLSContexts {
    private static let contexts = Mutex<[Bool: NIOSSLContext]>([:])

    /// - Parameter verifies: whether a callback judges the server's certificate; otherwise any is taken.
    static func context(verifies: Bool) throws -> NIOSSLContext {
        try contexts.withLock { contexts in
            if let context = contexts[verifies] { return context }
            let context = try NIOSSLContext(configuration: tlsConfiguration(verifies: verifies))
            contexts[verifies] = context
            return context
        }
    }

    private static func tlsConfiguration(verifies: Bool) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        // Names are the callback's business; without verification it would not be called.
        configuration.certificateVerification = verifies ? .noHostnameVerification : .none
        // They would be read from disk and never used.
        configuration.trustRoots = .certificates([])
        return configuration
    }
}
