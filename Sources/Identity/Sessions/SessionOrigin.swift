package import MailTypes

/// Where a session began, as coarsely as somebody needs it to know their own again. Nothing that a client has written is kept.
package struct SessionOrigin: Sendable, Hashable {
    /// `Firefox on Linux`, of the lists below; nil where neither is in them.
    package let client: String?
    /// The first 24 bits of an IPv4 address, the first 48 of an IPv6 address; nil where it is not known.
    package let network: IPNetwork?

    package static let unknown = SessionOrigin(userAgent: nil, address: nil)

    /// - Parameters:
    ///   - userAgent: the field of the request (RFC 9110 §10.1.5)
    ///   - address: of the client
    package init(userAgent: String?, address: IPAddress?) {
        client = userAgent.flatMap { Self.client($0) }
        network = address.map { IPNetwork(of: $0, prefix: $0.unmapped.isVersion6 ? 48 : 24) }
    }

    private static func client(_ userAgent: String) -> String? {
        let text = String(decoding: userAgent.utf8.prefix(longest), as: UTF8.self)
        func first(_ marks: [(String, String)]) -> String? { marks.first { text.contains($0.0) }?.1 }
        let (program, system) = (first(programs), first(systems))
        return program.map { program in system.map { "\(program) on \($0)" } ?? program } ?? system
    }

    private static let longest = 512

    /// Each browser also says that it is those behind it, so the order decides.
    private static let programs = [
        ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"), ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"), ("curl/", "curl"),
    ]
    private static let systems = [
        ("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iOS"), ("Windows", "Windows"), ("CrOS", "ChromeOS"),
        ("Mac OS X", "macOS"), ("Linux", "Linux"),
    ]
}
