import COpenDKIM

/// Checks DKIM signatures with libopendkim, which shares no code with the signer, against keys given beforehand: no
/// look-up in the DNS.
///
/// Any number of threads may check at once; each check takes its calling thread for about half a millisecond. libopendkim
/// keeps what belongs to one message in a handle of that message; what it shares is not written after `init`.
package final class DKIMVerifier: Sendable {
    private let library: Library
    private let records: KeyRecords

    /// - Parameter keys: values of TXT records by name, such as `s1._domainkey.example.org`.
    /// - Throws: `libraryFailure`.
    package init(keys: [String: String]) throws(DKIMError) {
        library = try Library()
        records = KeyRecords(keys)
    }

    /// - Parameter message: header, empty line and body with CRLF line ends, without dot-stuffing. A body whose last line
    ///   has no CRLF is taken as if it had, which is how it travels.
    /// - Returns: a message without signatures gives an empty list.
    /// - Throws: `malformedMessage`, `libraryFailure`. A signature that does not hold is a result, not an error.
    package func verify(_ message: [UInt8]) throws(DKIMError) -> DKIMVerification {
        var message = message
        var fields = try Self.fields(of: message)
        // libopendkim leaves such a line out of the hash, against RFC 6376 §3.4.
        if !fields.body.isEmpty, message.last != 0x0A {
            message += [0x0D, 0x0A]
            fields.body = fields.body.lowerBound..<message.count
        }
        var status: DKIM_STAT = 0
        guard let handle = unsafe dkim_verify(library.handle, Library.messageName, nil, &status) else {
            throw DKIMError(.libraryFailure, "libopendkim cannot start a check (\(status))")
        }
        defer { unsafe dkim_free(handle) }
        return try withExtendedLifetime(records) { () throws(DKIMError) -> DKIMVerification in
            unsafe dkim_set_user_context(handle, Unmanaged.passUnretained(records).toOpaque())
            try unsafe Self.feed(&message, fields, to: handle)
            return unsafe DKIMVerification(signatures: Self.signatures(of: handle))
        }
    }

    /// The range of each field without its CRLF, then the range of the body.
    private static func fields(of message: [UInt8]) throws(DKIMError) -> (header: [Range<Int>], body: Range<Int>) {
        guard let bodyOffset = bodyOffset(of: message) else {
            throw DKIMError(.malformedMessage, "no empty line ends the header")
        }
        var section = HeaderSection()
        try section.read(message.span.extracting(first: bodyOffset))
        return (section.fields.map(\.range), bodyOffset..<message.count)
    }

    private static func bodyOffset(of message: [UInt8]) -> Int? {
        if message.starts(with: [0x0D, 0x0A]) { return 2 }
        var index = 0
        while index + 3 < message.count {
            if message[index] == 0x0D, message[index + 1] == 0x0A, message[index + 2] == 0x0D,
                message[index + 3] == 0x0A
            {
                return index + 4
            }
            index += 1
        }
        return nil
    }

    private static func feed(
        _ message: inout [UInt8], _ fields: (header: [Range<Int>], body: Range<Int>), to handle: OpaquePointer
    ) throws(DKIMError) {
        let status = unsafe message.withUnsafeMutableBufferPointer { bytes -> DKIM_STAT in
            guard let start = bytes.baseAddress else { return DKIM_STAT_SYNTAX }
            for field in fields.header {
                let status = unsafe dkim_header(handle, start + field.lowerBound, field.count)
                // A signature without a tag that it must have is an error of that signature, not of the message.
                if status == DKIM_STAT_SYNTAX, unsafe isSignature(UnsafeBufferPointer(rebasing: bytes[field])) {
                    continue
                }
                guard status == DKIM_STAT_OK else { return status }
            }
            // Without a usable signature there is nothing to compare the body with; `signatures` says why.
            guard unsafe dkim_eoh(handle) == DKIM_STAT_OK else { return DKIM_STAT_OK }
            if !fields.body.isEmpty {
                let status = unsafe dkim_body(handle, start + fields.body.lowerBound, fields.body.count)
                guard status == DKIM_STAT_OK else { return status }
            }
            var isTestKey = false
            // Its result is that of the first signature that holds; all of them are asked for below.
            _ = unsafe dkim_eom(handle, &isTestKey)
            return DKIM_STAT_OK
        }
        switch status {
        case DKIM_STAT_OK: return
        case DKIM_STAT_SYNTAX: throw DKIMError(.malformedMessage, "libopendkim cannot read the header")
        default: throw DKIMError(.libraryFailure, "libopendkim cannot read the message (\(status))")
        }
    }

    private static func isSignature(_ field: UnsafeBufferPointer<UInt8>) -> Bool {
        let name = unsafe field.prefix { $0 != 0x3A && $0 != 0x20 && $0 != 0x09 }
        return unsafe name.count == 14 && String(decoding: name, as: UTF8.self).lowercased() == "dkim-signature"
    }

    private static func signatures(of handle: OpaquePointer) -> [DKIMVerification.Signature] {
        var list: UnsafeMutablePointer<OpaquePointer?>?
        var count: Int32 = 0
        guard unsafe dkim_getsiglist(handle, &list, &count) == DKIM_STAT_OK, let list = unsafe list else { return [] }
        var signatures: [DKIMVerification.Signature] = []
        for index in 0..<Int(count) {
            guard let signature = unsafe list[index] else { continue }
            if unsafe dkim_sig_geterror(signature) == DKIM_SIGERROR_UNKNOWN
                || dkim_sig_geterror(signature) == DKIM_SIGERROR_OK
            {
                _ = unsafe dkim_sig_process(handle, signature)
            }
            signatures.append(
                DKIMVerification.Signature(
                    domain: unsafe text(dkim_sig_getdomain(signature)),
                    selector: unsafe text(dkim_sig_getselector(signature)),
                    algorithm: unsafe algorithm(of: signature),
                    result: unsafe result(of: signature)))
        }
        return signatures
    }

    private static func algorithm(of signature: OpaquePointer) -> String {
        var tag = Array("a".utf8) + [0]
        return unsafe text(dkim_sig_gettagvalue(signature, false, &tag)).filter { !$0.isWhitespace }
    }

    private static func text(_ string: UnsafeMutablePointer<UInt8>?) -> String {
        guard let string = unsafe string else { return "" }
        return unsafe String(cString: string)
    }

    private static func result(of signature: OpaquePointer) -> DKIMVerification.Result {
        let hasPassed = unsafe dkim_sig_getflags(signature) & UInt32(DKIM_SIGFLAG_PASSED) != 0
        if hasPassed, unsafe dkim_sig_getbh(signature) == DKIM_SIGBH_MATCH { return .pass }
        if unsafe dkim_sig_getbh(signature) == DKIM_SIGBH_MISMATCH { return .fail(.bodyHashMismatch) }
        return switch unsafe dkim_sig_geterror(signature) {
        case DKIM_SIGERROR_BADSIG, DKIM_SIGERROR_UNKNOWN, DKIM_SIGERROR_OK: .fail(.signatureMismatch)
        case DKIM_SIGERROR_NOKEY, DKIM_SIGERROR_KEYFAIL: .fail(.keyNotFound)
        case DKIM_SIGERROR_INVALID_A: .fail(.algorithmUnsupported)
        case DKIM_SIGERROR_EXPIRED: .fail(.expired)
        case DKIM_SIGERROR_DNSSYNTAX, DKIM_SIGERROR_MULTIREPLY, DKIM_SIGERROR_SUBDOMAIN,
            DKIM_SIGERROR_KEYVERSION...DKIM_SIGERROR_NOTEMAILKEY,
            DKIM_SIGERROR_KEYTYPEMISSING...DKIM_SIGERROR_KEYDECODE, DKIM_SIGERROR_KEYTOOSMALL:
            .fail(.keyUnusable)
        default: .fail(.signatureMalformed)
        }
    }
}

/// Owns a `DKIM_LIB`.
@safe private final class Library: @unchecked Sendable {
    let handle: OpaquePointer

    /// libopendkim keeps the pointer, not a copy.
    static var messageName: UnsafePointer<UInt8> { unsafe name.utf8Start }
    private static let name: StaticString = "message"

    init() throws(DKIMError) {
        guard let handle = unsafe dkim_init(nil, nil) else {
            throw DKIMError(.libraryFailure, "libopendkim cannot start")
        }
        unsafe self.handle = handle
        // A signature field that is beyond reading must not hide a good one beside it.
        var flags = UInt32(DKIM_LIBFLAGS_BADSIGHANDLES)
        let isSet =
            unsafe dkim_options(handle, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, MemoryLayout<UInt32>.size)
            == DKIM_STAT_OK
        guard isSet, unsafe dkim_set_key_lookup(handle, Self.lookUp) == DKIM_STAT_OK else {
            throw DKIMError(.libraryFailure, "libopendkim cannot be set up")
        }
    }

    deinit { unsafe dkim_close(handle) }

    private static let lookUp:
        @convention(c) (OpaquePointer?, OpaquePointer?, UnsafeMutablePointer<UInt8>?, Int) -> Int32 = {
            handle, signature, buffer, capacity in
            guard let handle = unsafe handle, let buffer = unsafe buffer,
                let context = unsafe dkim_get_user_context(handle),
                let domain = unsafe dkim_sig_getdomain(signature), let selector = unsafe dkim_sig_getselector(signature)
            else { return DKIM_CBSTAT_ERROR }
            let records = unsafe Unmanaged<KeyRecords>.fromOpaque(context).takeUnretainedValue()
            let name = unsafe String(cString: selector) + "._domainkey." + String(cString: domain)
            guard let record = records[name] else { return DKIM_CBSTAT_NOTFOUND }
            guard record.count < capacity else { return DKIM_CBSTAT_ERROR }
            for (offset, byte) in record.enumerated() { unsafe buffer[offset] = byte }
            unsafe buffer[record.count] = 0
            return DKIM_CBSTAT_CONTINUE
        }
}

private final class KeyRecords: Sendable {
    private let records: [String: [UInt8]]

    init(_ keys: [String: String]) {
        records = Dictionary(keys.map { ($0.lowercased(), Array($1.utf8)) }, uniquingKeysWith: { first, _ in first })
    }

    subscript(name: String) -> [UInt8]? { records[name.lowercased()] }
}
