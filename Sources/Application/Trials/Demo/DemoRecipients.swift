import NIOCore

/// Recipients for demos and benchmarks: made up, under domains reserved for examples (RFC 2606).
struct DemoRecipients: AsyncSequence, Sendable {
    let count: Int
    /// Merge variables of each recipient besides its name.
    var variables = 6
    /// What local parts begin with; the sink reads magic words there.
    var localPart: @Sendable (Int) -> String = { _ in "reader" }
    /// Spreads them over so many sites instead of the providers.
    var sites: Int?

    typealias Element = ByteBuffer

    static let firstNames = [
        "Ada", "Björn", "Chloé", "Dmitri", "Elif", "Fátima", "Grace", "Hiroko", "Inès", "João", "Kwame", "Łucja", "Mei",
        "Niamh", "Óscar", "Priya", "Quentin", "Rosa", "Søren", "Tomás",
    ]
    static let cities = ["Aarhus", "Bilbao", "Cork", "Dakar", "Espoo", "Fès", "Graz", "Hanoi", "Izmir", "Jena"]
    static let providers = [
        "gmail.example.com", "yahoo.example.com", "outlook.example.com", "gmx.example.net", "icloud.example.org",
        "orange.example.net", "post.example.org", "mail.example.net",
    ]

    static func address(_ index: Int) -> String {
        "reader\(index)@\(providers[index % providers.count])"
    }

    func makeAsyncIterator() -> Iterator { Iterator(recipients: self) }

    struct Iterator: AsyncIteratorProtocol {
        let recipients: DemoRecipients
        var next = 0

        /// Some hundred lines at a time.
        mutating func next() async -> ByteBuffer? {
            guard next < recipients.count else { return nil }
            var buffer = ByteBuffer()
            for index in next..<Swift.min(next + 500, recipients.count) {
                buffer.writeString(line(index))
            }
            next = Swift.min(next + 500, recipients.count)
            return buffer
        }

        private func line(_ index: Int) -> String {
            let name = firstNames[index % firstNames.count]
            let domain =
                recipients.sites.map { NameServer.domain(ofSite: index % $0) } ?? providers[index % providers.count]
            let address = "\(recipients.localPart(index))\(index)@\(domain)"
            var vars = #""city":"\#(cities[index % cities.count])","points":\#(index * 7 % 1_000)"#
            for number in 2..<Swift.max(2, recipients.variables) {
                vars += #","field\#(number)":"value \#(number) of \#(index)""#
            }
            return #"{"email":"\#(address)","name":"\#(name)","vars":{\#(vars)}}"# + "\n"
        }
    }
}
