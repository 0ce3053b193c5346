import SMTPProtocol

/// Decides the fate of each recipient: by its local part if that is a magic one, else by a draw from its digest, so
/// that the same seed gives the same fates.
///
/// | local part | what happens |
/// |---|---|
/// | `bounce+…` | refused for good |
/// | `defer+…` | put off at the first attempt, taken later |
/// | `deferalways+…` | put off for ever |
/// | `slow+…` | taken; the reply to the final dot comes late |
/// | `drop-after-dot+…` | taken, but at the first attempt the connection is closed without a reply |
/// | `reject-data+…` | refused for good after the final dot |
/// | `close+…` | the connection is closed without a reply to RCPT |
package struct SinkPolicy: Sendable {
    /// Of all recipients, 0…1: refused for good.
    package var bounceShare = 0.0
    /// Of all recipients, 0…1: put off ``deferrals`` times.
    package var deferShare = 0.0
    /// Of the refusals, 0…1: given after the final dot, not at RCPT.
    package var contentShare = 0.2
    /// Of the temporary refusals, 0…1: `421`, which ends the connection.
    package var busyShare = 0.1
    /// How often a recipient that is put off has to come back.
    package var deferrals = 1

    package init() {}

    enum Verdict: Hashable {
        case accept
        case refuse(SMTPReply, afterContent: Bool)
        case slow
        case dropAfterDot
        case close
    }

    func verdict(for path: SMTPPath, _ digest: RecipientDigest, _ tally: SinkTally) -> Verdict {
        if let magic = magicWord(of: path) { return verdict(magic, path, digest, tally) }
        guard bounceShare + deferShare > 0 else { return .accept }
        let draw = digest.share(.verdict)
        let afterContent = digest.share(.stage) < contentShare
        if draw < bounceShare { return permanent(path, digest, afterContent: afterContent) }
        if draw < bounceShare + deferShare, tally.deferrals(of: digest) < deferrals {
            return temporary(path, digest, afterContent: afterContent)
        }
        return .accept
    }

    private enum MagicWord: String {
        case bounce
        case deferOnce = "defer"
        case deferAlways = "deferalways"
        case slow
        case dropAfterDot = "drop-after-dot"
        case rejectData = "reject-data"
        case close
    }

    private func magicWord(of path: SMTPPath) -> MagicWord? {
        guard let plus = path.text.utf8.firstIndex(of: UInt8(ascii: "+")) else { return nil }
        return MagicWord(rawValue: path.text[..<plus].lowercased())
    }

    private func verdict(
        _ magic: MagicWord, _ path: SMTPPath, _ digest: RecipientDigest, _ tally: SinkTally
    ) -> Verdict {
        switch magic {
        case .bounce: permanent(path, digest, afterContent: false)
        case .deferOnce: tally.deferrals(of: digest) > 0 ? .accept : temporary(path, digest, afterContent: false)
        case .deferAlways: temporary(path, digest, afterContent: false)
        case .slow: .slow
        case .dropAfterDot: tally.copies(of: digest) > 0 ? .accept : .dropAfterDot
        case .rejectData: permanent(path, digest, afterContent: true)
        case .close: .close
        }
    }

    private func permanent(_ path: SMTPPath, _ digest: RecipientDigest, afterContent: Bool) -> Verdict {
        let provider = ProviderReplies.provider(of: path.domain)
        let texts =
            if afterContent {
                provider.refusedContent
            } else if digest.share(.kind) < 0.8 {
                provider.unknownMailbox
            } else {
                provider.inactiveMailbox
            }
        return .refuse(texts[digest.pick(.text, of: texts.count)].reply(to: path, digest), afterContent: afterContent)
    }

    private func temporary(_ path: SMTPPath, _ digest: RecipientDigest, afterContent: Bool) -> Verdict {
        let provider = ProviderReplies.provider(of: path.domain)
        let texts =
            if digest.share(.kind) < busyShare {
                provider.busy
            } else if afterContent {
                provider.deferredContent
            } else {
                provider.deferredRecipient
            }
        return .refuse(texts[digest.pick(.text, of: texts.count)].reply(to: path, digest), afterContent: afterContent)
    }
}
