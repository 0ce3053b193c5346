import MailMessage
import MailTypes

/// Reads the binary form of ``RecipientBatch``. Every length is checked against what is left, so that damaged octets
/// end in an error and not in a huge allocation. Variables are checked with the rest and read when they are asked for.
enum RecipientBatchDecoder {
    static func decode(_ bytes: [UInt8]) throws(RecipientBatchError) -> [RecipientRecord] {
        let span = bytes.span
        var reader = Reader()
        guard try reader.octet(span) == RecipientBatch.version else { throw .unknownVersion }
        let domainCount = try reader.count(span)
        var domains: [DomainName] = []
        domains.reserveCapacity(domainCount)
        for _ in 0..<domainCount {
            domains.append(try domain(reader.text(span)))
        }
        let nameCount = try reader.count(span)
        var names: [String] = []
        names.reserveCapacity(nameCount)
        for _ in 0..<nameCount { names.append(try reader.text(span)) }

        let recordCount = try reader.count(span)
        var records: [RecipientRecord] = []
        records.reserveCapacity(recordCount)
        for _ in 0..<recordCount {
            records.append(try record(bytes, span, &reader, domains, names))
        }
        guard reader.position == span.count else { throw .malformed }
        return records
    }

    private static func domain(_ text: String) throws(RecipientBatchError) -> DomainName {
        do { return try DomainName(text) } catch { throw .malformed }
    }

    private static func record(
        _ bytes: [UInt8], _ span: Span<UInt8>, _ reader: inout Reader, _ domains: [DomainName], _ names: [String]
    ) throws(RecipientBatchError) -> RecipientRecord {
        guard let index = UInt32(exactly: try reader.varint(span)) else { throw .malformed }
        let attempt = try reader.octet(span)
        let flags = try reader.octet(span)
        let domain = try reader.entry(span, of: domains)
        let local = try reader.text(span)
        let name = flags & RecipientBatch.Flag.name == 0 ? nil : try reader.text(span)
        let firstAttemptAt =
            flags & RecipientBatch.Flag.firstAttempt == 0 ? 0 : Int64(bitPattern: try reader.varint(span))
        var record = RecipientRecord(
            index: Int32(bitPattern: index), attempt: attempt,
            isSuppressed: flags & RecipientBatch.Flag.suppressed != 0, firstAttemptAt: firstAttemptAt,
            address: try address(local, domain), name: name)
        record.resends = flags >> RecipientBatch.Flag.resendsShift
        let start = reader.position
        try passVariables(span, &reader, nameCount: names.count, depth: 0)
        record.keep(StoredVariables(.init(Array(bytes[start..<reader.position]), names: names)))
        return record
    }

    private static func address(_ local: String, _ domain: DomainName) throws(RecipientBatchError) -> EmailAddress {
        do { return try EmailAddress(localPart: local, domain: domain) } catch { throw .malformed }
    }

    /// Checks variables without making them.
    private static func passVariables(
        _ span: Span<UInt8>, _ reader: inout Reader, nameCount: Int, depth: Int
    ) throws(RecipientBatchError) {
        for _ in 0..<(try reader.count(span)) {
            guard try reader.varint(span) < UInt64(nameCount) else { throw .malformed }
            try passValue(span, &reader, nameCount: nameCount, depth: depth)
        }
    }

    private static func passValue(
        _ span: Span<UInt8>, _ reader: inout Reader, nameCount: Int, depth: Int
    ) throws(RecipientBatchError) {
        // The import lets no deeper value in; damaged octets must not exhaust the stack.
        guard depth <= ImportLimits.nestingDepth else { throw .malformed }
        switch RecipientBatch.ValueKind(rawValue: try reader.octet(span)) {
        case .null, .no, .yes: break
        case .text, .falseText: try reader.passText(span)
        case .list:
            for _ in 0..<(try reader.count(span)) {
                try passValue(span, &reader, nameCount: nameCount, depth: depth + 1)
            }
        case .object: try passVariables(span, &reader, nameCount: nameCount, depth: depth + 1)
        case nil: throw .malformed
        }
    }

    /// - Parameter bytes: that ``decode(_:)`` has passed.
    static func variables(_ bytes: [UInt8], _ names: [String]) -> MergeVariables {
        do throws(RecipientBatchError) {
            return try passedVariables(bytes, names)
        } catch {
            preconditionFailure("the octets were checked when the batch was opened: \(error)")
        }
    }

    private static func passedVariables(
        _ bytes: [UInt8], _ names: [String]
    ) throws(RecipientBatchError) -> MergeVariables {
        let span = bytes.span
        var reader = Reader()
        return try variables(span, &reader, names, depth: 0)
    }

    private static func variables(
        _ span: Span<UInt8>, _ reader: inout Reader, _ names: [String], depth: Int
    ) throws(RecipientBatchError) -> MergeVariables {
        let count = try reader.count(span)
        var fields: [MergeVariables.Field] = []
        fields.reserveCapacity(count)
        for _ in 0..<count {
            let name = try reader.entry(span, of: names)
            fields.append(MergeVariables.Field(key: name, value: try value(span, &reader, names, depth: depth)))
        }
        return MergeVariables(fields)
    }

    private static func value(
        _ span: Span<UInt8>, _ reader: inout Reader, _ names: [String], depth: Int
    ) throws(RecipientBatchError) -> MergeValue {
        guard depth <= ImportLimits.nestingDepth else { throw .malformed }
        switch RecipientBatch.ValueKind(rawValue: try reader.octet(span)) {
        case .null: return .null
        case .no: return .flag(false)
        case .yes: return .flag(true)
        case .text: return .text(try reader.text(span))
        case .falseText: return .falseText(try reader.text(span))
        case .list:
            let count = try reader.count(span)
            var values: [MergeValue] = []
            values.reserveCapacity(count)
            for _ in 0..<count { values.append(try value(span, &reader, names, depth: depth + 1)) }
            return .list(values)
        case .object: return .object(try variables(span, &reader, names, depth: depth + 1))
        case nil: throw .malformed
        }
    }

    private struct Reader {
        var position = 0

        @inline(__always)
        mutating func octet(_ span: Span<UInt8>) throws(RecipientBatchError) -> UInt8 {
            guard position < span.count else { throw .truncated }
            defer { position += 1 }
            return span[position]
        }

        @inline(__always)
        mutating func varint(_ span: Span<UInt8>) throws(RecipientBatchError) -> UInt64 {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                let octet = try octet(span)
                guard shift < 63 || octet <= 1 else { throw .malformed }
                value |= UInt64(octet & 0x7F) << shift
                if octet < 0x80 { return value }
                shift += 7
            }
        }

        /// A number of things that take an octet each at least.
        @inline(__always)
        mutating func count(_ span: Span<UInt8>) throws(RecipientBatchError) -> Int {
            let value = try varint(span)
            guard value <= UInt64(span.count - position) else { throw .truncated }
            return Int(value)
        }

        @inline(__always)
        mutating func text(_ span: Span<UInt8>) throws(RecipientBatchError) -> String {
            let count = try count(span)
            defer { position += count }
            do {
                return String(copying: try UTF8Span(validating: span.extracting(position..<(position + count))))
            } catch {
                throw .malformed
            }
        }

        @inline(__always)
        mutating func passText(_ span: Span<UInt8>) throws(RecipientBatchError) {
            let count = try count(span)
            defer { position += count }
            do {
                _ = try UTF8Span(validating: span.extracting(position..<(position + count)))
            } catch {
                throw .malformed
            }
        }

        @inline(__always)
        mutating func entry<Entry>(
            _ span: Span<UInt8>, of table: [Entry]
        ) throws(RecipientBatchError) -> Entry {
            let number = try varint(span)
            guard number < UInt64(table.count) else { throw .malformed }
            return table[Int(number)]
        }
    }
}
