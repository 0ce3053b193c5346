package import SMTPProtocol

/// Where a ``SMTPListener`` listens and what it bears.
package struct SMTPListenerConfiguration: Sendable {
    /// A name or an address of this machine; `0.0.0.0` and `::` mean all of them.
    package var host = "127.0.0.1"
    /// 0 lets the system choose.
    package var port = 0
    package var profile: SMTPServerProfile
    /// Offers STARTTLS where there is one.
    package var identity: TLSIdentity?
    package var timeouts = SMTPTimeouts.standard
    /// The longest time for the content of one message, however steadily it drips in.
    package var contentTimeout: Duration = .seconds(1_800)
    /// Content that comes more slowly ends the session; if nil, only the times count.
    package var leastContentRate: SMTPLeastRate?
    /// Connections beyond these are answered `421`.
    package var maximumConnections = 4_096

    package init(hostname: String) {
        profile = SMTPServerProfile(hostname: hostname)
    }
}

/// How slowly the content of a message may come: on average, once a first while is over.
package struct SMTPLeastRate: Sendable, Hashable {
    package var octetsPerSecond: Int
    /// So long any rate will do.
    package var grace: Duration

    package init(octetsPerSecond: Int, grace: Duration = .seconds(60)) {
        self.octetsPerSecond = octetsPerSecond
        self.grace = grace
    }
}

/// Why a listener did not start.
package struct SMTPListenerError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, Hashable {
        case addressInUse = "address_in_use"
        case permissionDenied = "permission_denied"
        case addressNotAvailable = "address_not_available"
        case cannotListen = "cannot_listen"
    }

    package let code: Code
    package let host: String
    package let port: Int

    package var description: String {
        switch code {
        case .addressInUse: "port \(port) of \(host) is in use"
        case .permissionDenied: "listening on port \(port) of \(host) is not permitted"
        case .addressNotAvailable: "\(host) is not an address of this machine"
        case .cannotListen: "cannot listen on port \(port) of \(host)"
        }
    }
}
