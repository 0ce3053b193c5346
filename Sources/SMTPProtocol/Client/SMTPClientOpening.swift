import MailTypes

/// The state of a session that is being opened: greeting, EHLO, STARTTLS, EHLO again, AUTH.
struct SMTPClientOpening: Sendable {
    enum Step: Sendable, Hashable {
        case greeting, ehlo, helo, startTLS, handshake
        /// The last answer of AUTH is awaited.
        case auth
        case loginUsername, loginPassword
    }

    enum Progress: Sendable, Hashable {
        case send(SMTPClientCommand)
        case startTLS
        case awaitGreeting
        case opened(SMTPExtensions)
        case failed(DeliveryReport.Cause, reply: SMTPReply?, quitting: Bool)
    }

    private let configuration: SMTPClientStateMachine.Configuration
    private var step: Step
    private var isEncrypted = false
    private var extensions = SMTPExtensions()

    init(_ configuration: SMTPClientStateMachine.Configuration) {
        self.configuration = configuration
        step = configuration.tls == .implicit ? .handshake : .greeting
    }

    var phase: SMTPPhase {
        switch step {
        case .greeting: .greeting
        case .ehlo, .helo: .ehlo
        case .startTLS, .handshake: .startTLS
        case .auth, .loginUsername, .loginPassword: .auth
        }
    }

    /// Any byte outside of TLS that comes now was put there by someone in between (CVE-2021-38371).
    var isInHandshake: Bool { step == .handshake }

    /// From STARTTLS to the end of the handshake nothing is forgiven.
    var isSettingUpTLS: Bool { step == .startTLS || step == .handshake }

    mutating func tlsEstablished() -> Progress {
        isEncrypted = true
        guard configuration.tls != .implicit else {
            step = .greeting
            return .awaitGreeting
        }
        return greet()
    }

    /// - Parameter inputFollows: whether more input is there already. No step of the opening is pipelined, so that
    ///   means that the two sides are out of step, or that bytes were injected before TLS.
    mutating func received(_ reply: SMTPReply, inputFollows: Bool) -> Progress {
        if reply.closesConnection { return .failed(.refused, reply: reply, quitting: false) }
        if inputFollows {
            let injected = step == .startTLS && reply.isPositive
            return .failed(injected ? .inputBeforeTLS : .protocolViolation, reply: nil, quitting: false)
        }
        switch step {
        case .greeting:
            guard reply.isPositive, !reply.endsConnection else { return refused(reply) }
            return greet()
        case .ehlo: return receivedEHLO(reply)
        case .helo:
            guard reply.isPositive else { return refused(reply) }
            return encryptOrGoOn()
        case .startTLS: return receivedStartTLS(reply)
        case .handshake: return .failed(.inputBeforeTLS, reply: nil, quitting: false)
        case .loginUsername:
            return answerChallenge(reply, with: configuration.credentials?.encodedUsername, then: .loginPassword)
        case .loginPassword:
            return answerChallenge(reply, with: configuration.credentials?.encodedPassword, then: .auth)
        case .auth:
            guard reply.isPositive else { return refused(reply) }
            return .opened(extensions)
        }
    }

    private mutating func greet() -> Progress {
        extensions = SMTPExtensions()
        step = .ehlo
        return .send(.ehlo(configuration.heloName))
    }

    private mutating func receivedEHLO(_ reply: SMTPReply) -> Progress {
        if reply.isPositive {
            extensions = SMTPExtensions(ehlo: reply, without: configuration.withoutExtensions)
            return encryptOrGoOn()
        }
        // A server that knows no EHLO says so by 5yz (RFC 5321 §3.2). One that has just offered STARTTLS knows it.
        guard reply.isPermanent, !isEncrypted else { return refused(reply) }
        step = .helo
        return .send(.helo(configuration.heloName))
    }

    private mutating func encryptOrGoOn() -> Progress {
        guard !isEncrypted, configuration.tls != .never else { return logInOrGoOn() }
        if extensions.startTLS {
            step = .startTLS
            return .send(.startTLS)
        }
        if configuration.tls == .required {
            step = .startTLS
            return .failed(.tlsNotOffered, reply: nil, quitting: true)
        }
        return logInOrGoOn()
    }

    private mutating func receivedStartTLS(_ reply: SMTPReply) -> Progress {
        if reply.isPositive {
            step = .handshake
            return .startTLS
        }
        guard configuration.tls == .whenOffered, !reply.isIntermediate else { return refused(reply) }
        return logInOrGoOn()
    }

    private mutating func logInOrGoOn() -> Progress {
        guard let credentials = configuration.credentials else { return .opened(extensions) }
        step = .auth
        guard isEncrypted || credentials.allowsPlaintext else {
            return .failed(.authOnPlaintext, reply: nil, quitting: true)
        }
        if extensions.auth.contains(.plain) { return .send(.authPlain(credentials.plainResponse)) }
        guard extensions.auth.contains(.login) else { return .failed(.authNotOffered, reply: nil, quitting: true) }
        step = .loginUsername
        return .send(.authLogin)
    }

    private mutating func answerChallenge(
        _ reply: SMTPReply, with response: Redacted<String>?, then next: Step
    ) -> Progress {
        guard reply.code == 334, let response else { return refused(reply) }
        step = next
        return .send(.authResponse(response))
    }

    private func refused(_ reply: SMTPReply) -> Progress {
        let isRefusal = reply.isTransient || reply.isPermanent
        return .failed(isRefusal ? .refused : .protocolViolation, reply: isRefusal ? reply : nil, quitting: isRefusal)
    }
}
