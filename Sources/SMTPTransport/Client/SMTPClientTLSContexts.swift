import NIOSSL
import Synchronization

/// TLS contexts by policy. Making one reads the trusted certificates, which takes longer than a whole session, so each
/// is made once in a process.
enum SMTPClientTLSContexts {
    private struct Key: Hashable {
        let verifies: Bool
        let trustRootsFile: String?
    }

    private static let contexts = Mutex<[Key: NIOSSLContext]>([:])

    /// - Returns: nil where the policy has no use for TLS.
    static func context(for configuration: SMTPClientConfiguration) throws -> NIOSSLContext? {
        let verifies: Bool
        switch configuration.tls {
        case .never: return nil
        case .opportunistic: verifies = false
        case .required(let verify): verifies = verify
        }
        let key = Key(verifies: verifies, trustRootsFile: verifies ? configuration.trustRootsFile : nil)
        return try contexts.withLock { contexts in
            if let context = contexts[key] { return context }
            let context = try NIOSSLContext(configuration: tlsConfiguration(key))
            contexts[key] = context
            return context
        }
    }

    private static func tlsConfiguration(_ key: Key) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = key.verifies ? .fullVerification : .none
        if let file = key.trustRootsFile { configuration.trustRoots = .file(file) }
        return configuration
    }
}
