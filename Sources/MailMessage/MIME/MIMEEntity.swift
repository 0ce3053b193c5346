/// A piece of a message body, in the order of transmission.
enum BodyPiece: Sendable {
    /// Delimiters, part headers, attachments: the same in each copy.
    case fixed([UInt8])
    case text(TextPart)
}

/// A MIME entity (RFC 2045 §2.4) being put together: its Content fields and its body.
struct MIMEEntity {
    /// Complete fields, each ended by CRLF.
    var fields: [UInt8]
    var pieces: [BodyPiece]

    static func text(_ part: TextPart, subtype: String) -> MIMEEntity {
        MIMEEntity(
            fields: Array(
                """
                Content-Type: text/\(subtype); charset=utf-8\r
                Content-Transfer-Encoding: \(part.encodingName)\r\n
                """.utf8),
            pieces: [.text(part)])
    }

    /// - Parameters:
    ///   - subtype: with its parameters other than the boundary, such as `mixed`.
    ///   - parts: at least one.
    static func multipart(_ subtype: String, boundary: String, _ parts: [MIMEEntity]) -> MIMEEntity {
        var entity = MIMEEntity(
            fields: Array("Content-Type: multipart/\(subtype);\r\n boundary=\"\(boundary)\"\r\n".utf8), pieces: [])
        var delimiter = "--\(boundary)\r\n"
        for part in parts {
            entity.append(Array(delimiter.utf8) + part.fields + Array("\r\n".utf8))
            for piece in part.pieces {
                switch piece {
                case .fixed(let bytes): entity.append(bytes)
                case .text: entity.pieces.append(piece)
                }
            }
            // The CRLF before a delimiter belongs to the delimiter, not to the part (RFC 2046 §5.1.1).
            delimiter = "\r\n--\(boundary)\r\n"
        }
        entity.append(Array("\r\n--\(boundary)--\r\n".utf8))
        return entity
    }

    /// Joins neighbours, so that rendering copies few large pieces.
    private mutating func append(_ bytes: [UInt8]) {
        guard case .fixed(var joined) = pieces.last else {
            pieces.append(.fixed(bytes))
            return
        }
        pieces.removeLast()
        joined += bytes
        pieces.append(.fixed(joined))
    }
}
