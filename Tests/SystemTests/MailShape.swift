import Foundation

/// One campaign of a particular form, and what each recipient's copy must look like in the end.
struct MailShape {
    /// The recipients of one shape: lines for the upload, and the expectations by envelope recipient.
    struct Copy {
        let line: RecipientLine
        /// As the envelope spells the address.
        let recipient: String
        let expectation: MailExpectation
    }

    let name: String
    var draft: CampaignDraft
    let copies: [Copy]
    /// For those that are uploaded as CSV.
    var csv: String?

    var recipients: RecipientFile {
        if let csv { .csv(csv) } else { .ndjson(copies.map(\.line)) }
    }

    /// A shape whose copies come from a closure that is given the copy's number and an expectation with the name, the
    /// sender and the signatures filled in.
    init(
        _ name: String, from sender: Sender, count: Int, _ draft: CampaignDraft,
        copy: (Int, inout MailExpectation) -> RecipientLine
    ) {
        self.name = name
        self.draft = draft
        self.draft.from = sender.text
        copies = (0..<count).map { number in
            var expectation = MailExpectation(shape: name, from: sender.shown, signatures: sender.signatures)
            expectation.subject = draft.subject
            let line = copy(number, &expectation)
            expectation.toName = MailShapes.onOneLine(line.name ?? "")
            expectation.text = expectation.text.map(Self.finished)
            expectation.html = expectation.html.map(Self.finished)
            return Copy(line: line, recipient: expectation.to ?? line.email, expectation: expectation)
        }
    }

    /// With copies and expectations that are known already.
    init(name: String, draft: CampaignDraft, copies: [Copy], csv: String? = nil) {
        self.name = name
        self.draft = draft
        self.copies = copies
        self.csv = csv
    }

    /// LF inside, and a line end at the end of what is not empty. Octet by octet: to a `String` a CR, an LF and an accent
    /// behind it are one or two characters, as the case may be.
    static func finished(_ text: String) -> String {
        var lines: [UInt8] = []
        var previous: UInt8 = 0
        for octet in text.utf8 {
            switch octet {
            case UInt8(ascii: "\r"): lines.append(UInt8(ascii: "\n"))
            case UInt8(ascii: "\n") where previous == UInt8(ascii: "\r"): break
            default: lines.append(octet)
            }
            previous = octet
        }
        if let last = lines.last, last != UInt8(ascii: "\n") { lines.append(UInt8(ascii: "\n")) }
        return String(decoding: lines, as: UTF8.self)
    }
}

/// Who a campaign is from, and how his domain signs.
struct Sender {
    /// For the API.
    let text: String
    /// The name as a reader sees it, and the address.
    let shown: [String]
    let signatures: [String]

    static let twoKeys = ["rsa-sha256", "ed25519-sha256"]
    static let oneKey = ["rsa-sha256"]
}
