import CPostgres

extension ServerEndpoint {
    package enum Answer: Hashable {
        case accepting
        /// Starting, recovering, or shutting down.
        case rejecting
        case none
    }

    /// Asks the server whether it takes connections; blocks, for two seconds at most.
    package var answer: Answer {
        let parameters = "host='\(Self.escaped(socketDirectory))' port=\(Self.port) connect_timeout=2"
        return switch unsafe PQping(parameters) {
        case PQPING_OK: .accepting
        case PQPING_REJECT: .rejecting
        default: .none
        }
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
    }
}
