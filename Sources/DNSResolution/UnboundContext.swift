import CUnbound

/// Owns one `ub_ctx`: libunbound with its cache and the thread on which it works. Made on any thread, then used by one.
@safe final class UnboundContext: @unchecked Sendable {
    private let handle: OpaquePointer
    private var tickets: [UInt64: Ticket] = [:]
    private let mailbox = Mailbox()

    /// What came of a question that was submitted.
    struct Answered {
        let ticket: UInt64
        let question: DNSQuestion
        let answer: DNSAnswer
        /// How long it holds.
        let seconds: Int
    }

    /// What a callback gets: whose answer it brings, and where to put it.
    private final class Ticket {
        let number: UInt64
        let question: DNSQuestion
        let mailbox: Mailbox

        init(_ number: UInt64, _ question: DNSQuestion, _ mailbox: Mailbox) {
            self.number = number
            self.question = question
            self.mailbox = mailbox
        }
    }

    private final class Mailbox {
        var answers: [Answered] = []
    }

    init(_ configuration: ResolverConfiguration) throws(ResolverConfigurationError) {
        guard let handle = unsafe ub_ctx_create() else {
            throw ResolverConfigurationError(description: "libunbound cannot start")
        }
        unsafe self.handle = handle
        // It would write its errors to standard error.
        unsafe ub_ctx_debugout(handle, nil)
        try check("threads", unsafe ub_ctx_async(handle, 1))
        try set("num-queries-per-thread:", "4096")
        try set("outgoing-range:", "8192")
        try set("msg-cache-size:", "16m")
        try set("rrset-cache-size:", "32m")
        if let seconds = configuration.longestKept {
            try set("cache-max-ttl:", "\(seconds)")
            try set("cache-max-negative-ttl:", "\(seconds)")
        }
        // Before the upstream: changing zones ends the time in which settings are taken.
        if let file = configuration.trustAnchorFile {
            try check("the trust anchor file", unsafe ub_ctx_add_ta_file(handle, file))
        }
        try configure(configuration.upstream)
    }

    /// Drops the questions that are under way, and waits for libunbound's thread to end.
    deinit { unsafe ub_ctx_delete(handle) }

    /// Readable when `process` has something to do.
    var fileDescriptor: Int32 { unsafe ub_fd(handle) }

    /// - Returns: nil if the question is under way, else why it cannot be asked.
    func submit(_ question: DNSQuestion, ticket number: UInt64) -> DNSFailure.Reason? {
        let ticket = Ticket(number, question, mailbox)
        let status = unsafe ub_resolve_async(
            handle, question.name, question.type.rawValue, 1, Unmanaged.passUnretained(ticket).toOpaque(),
            Self.receive, nil)
        guard status == 0 else { return Self.reason(status) }
        tickets[number] = ticket
        return nil
    }

    /// The answers that have come since the last call.
    func process() -> [Answered] {
        _ = unsafe ub_process(handle)
        let answers = mailbox.answers
        mailbox.answers.removeAll(keepingCapacity: true)
        for answer in answers { tickets[answer.ticket] = nil }
        return answers
    }

    private func configure(_ upstream: ResolverConfiguration.Upstream) throws(ResolverConfigurationError) {
        switch upstream {
        case .roots: return
        case .system:
            // Fails without the file.
            guard unsafe ub_ctx_resolvconf(handle, nil) == 0 else { return }
        case .forwarders(let servers):
            guard !servers.isEmpty else { throw ResolverConfigurationError(description: "no name server is given") }
            for server in servers {
                try check("the name server \(server)", unsafe ub_ctx_set_fwd(handle, server.unboundText))
            }
        }
        // A forwarder may be on this machine. When libunbound follows referrals itself, it must not be led there.
        try set("do-not-query-localhost:", "no")
        // libunbound would answer for these itself; a forwarder on a test network may know them.
        for zone in ["test.", "invalid."] { try check("the zone \(zone)", unsafe ub_ctx_zone_remove(handle, zone)) }
    }

    private func set(_ option: String, _ value: String) throws(ResolverConfigurationError) {
        try check("the option \(option)", unsafe ub_ctx_set_option(handle, option, value))
    }

    private func check(_ what: String, _ status: Int32) throws(ResolverConfigurationError) {
        guard status == 0 else {
            let text = unsafe ub_strerror(status).map { unsafe String(cString: $0) } ?? "error \(status)"
            throw ResolverConfigurationError(description: "libunbound does not take \(what): \(text)")
        }
    }

    private static let receive: ub_callback_type = { data, status, result in
        guard let data = unsafe data else { return }
        defer { unsafe ub_resolve_free(result) }
        let ticket = unsafe Unmanaged<Ticket>.fromOpaque(data).takeUnretainedValue()
        let (answer, seconds): (DNSAnswer, Int32) =
            if status == 0, let result = unsafe result {
                unsafe (UnboundContext.answer(result.pointee), result.pointee.ttl)
            } else {
                (.failure(UnboundContext.reason(status)), 0)
            }
        ticket.mailbox.answers.append(
            Answered(ticket: ticket.number, question: ticket.question, answer: answer, seconds: Int(seconds)))
    }

    private static func reason(_ status: Int32) -> DNSFailure.Reason {
        status == UB_SYNTAX.rawValue ? .nameUnusable : .serverFailure
    }

    private static func answer(_ result: ub_result) -> DNSAnswer {
        if unsafe result.bogus != 0 { return .failure(.bogus) }
        if unsafe result.nxdomain != 0 { return .noName }
        if unsafe result.havedata != 0 {
            guard unsafe aliases(result) <= DNSLimits.aliases else { return .failure(.tooManyAliases) }
            return unsafe .records(
                records(result), isSecure: result.secure != 0, canonicalName: canonicalName(result))
        }
        return switch unsafe result.rcode {
        case 0: .noRecords
        case 3: .noName
        case 5: .failure(.refused)
        default: .failure(.serverFailure)
        }
    }

    /// - Returns: nil if it is the name asked for.
    private static func canonicalName(_ result: ub_result) -> String? {
        func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String? {
            guard let pointer = unsafe pointer else { return nil }
            let text = unsafe String(cString: pointer)
            return HostName.checked(text.hasSuffix(".") ? String(text.dropLast()) : text)
        }
        guard let name = unsafe text(result.canonname), unsafe name != text(result.qname) else { return nil }
        return name
    }

    private static func aliases(_ result: ub_result) -> Int {
        guard let packet = unsafe result.answer_packet, unsafe result.answer_len > 0 else { return 0 }
        let bytes = unsafe UnsafeRawBufferPointer(start: packet, count: Int(result.answer_len))
        return unsafe AnswerPacket.aliases(Array(bytes).span) ?? 0
    }

    private static func records(_ result: ub_result) -> [[UInt8]] {
        var records: [[UInt8]] = []
        guard let data = unsafe result.data, let lengths = unsafe result.len else { return [] }
        while records.count < DNSLimits.records, let start = unsafe data[records.count] {
            let bytes = unsafe UnsafeRawBufferPointer(start: start, count: Int(lengths[records.count]))
            unsafe records.append(Array(bytes))
        }
        return records
    }
}
