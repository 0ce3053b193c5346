/// A source address and a provider that it sends to.
package struct SourceUsage: Sendable, Hashable {
    package let source: String
    package let provider: String

    package init(source: String, provider: String) {
        self.source = source
        self.provider = provider
    }
}
