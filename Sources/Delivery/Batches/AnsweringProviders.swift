/// The mailbox providers that answered to the mails of a batch, by position: two octets each, as a node holds hundreds of
/// thousands of mails.
struct AnsweringProviders {
    /// Few: a batch meets some providers, not some for each mail.
    private var names: [String] = []
    /// One more than a place in `names`; 0 where nobody has answered. Empty until somebody has.
    private var places: [UInt16] = []

    subscript(position: Int) -> String? {
        guard places.indices.contains(position), places[position] > 0 else { return nil }
        return names[Int(places[position]) - 1]
    }

    /// - Parameter count: mails of the batch.
    mutating func note(_ name: String, at position: Int, of count: Int) {
        if places.isEmpty { places = Array(repeating: 0, count: count) }
        if let known = names.firstIndex(of: name) {
            places[position] = UInt16(known + 1)
        } else {
            names.append(name)
            places[position] = UInt16(names.count)
        }
    }
}
