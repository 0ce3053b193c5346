import StrictYAML

/// A providers file as read: nothing taken over from elsewhere.
struct ProviderFile: Sendable {
    struct Entry: Sendable {
        let name: String
        var mx: [String] = []
        var domains: [String] = []
        var connections: Int?
        var messagesPerConnection: Int?
        /// The inner nil is `none`: no limit, whatever another file says.
        var rate: MessageRate??
        var blocksBeforePause: Int?
        var scope: Provider.Scope?
        var leftOutExtensions: Set<String>?
        var replies: [ReplyPattern] = []
    }

    static let defaultName = "default"

    /// In the order of the file.
    private(set) var entries: [Entry] = []

    func entry(_ name: String) -> Entry? { entries.first { $0.name == name } }

    /// - Parameters:
    ///   - file: what errors call it.
    ///   - base: the file whose providers this one may extend without saying how to find them.
    init(_ text: String, named file: String, extending base: ProviderFile?) throws(YAMLError) {
        var reader = ProviderFileReader(file: file, extending: base)
        entries = try reader.entries(of: text)
    }
}
