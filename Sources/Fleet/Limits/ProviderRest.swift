package import MailTypes

/// A provider that wants nothing from a source for a while, as the nodes tell each other.
package struct ProviderRest: Sendable, Hashable {
    package let provider: String
    /// An address; empty where the system picks it.
    package let source: String
    package let secondsLeft: Double
    /// Of the reply that decided; 0 where none did.
    package let code: Int
    package let enhanced: EnhancedStatusCode?

    package init(provider: String, source: String, secondsLeft: Double, code: Int, enhanced: EnhancedStatusCode?) {
        self.provider = provider
        self.source = source
        self.secondsLeft = secondsLeft
        self.code = code
        self.enhanced = enhanced
    }
}
