import MailTypes

/// The top-level names that the templates of one message use, each with a slot. They are looked up once per recipient;
/// after that a variable in the template costs an array access.
struct TemplateRoots: Sendable {
    /// Where a name's value comes from.
    private enum Source: Sendable {
        case variable
        /// The recipient's address, whatever the variables say.
        case address
        /// The variable `name`, or the recipient's display name where it is missing or null.
        case displayName
        /// The https URI for unsubscribing where the mail has one, else the variable of that name.
        case unsubscribeURL
    }

    private struct Entry: Sendable {
        var key: String
        var source: Source
    }

    private var entries: [Entry] = []
    private var slots: [String: Int] = [:]

    mutating func slot(for name: String) -> Int {
        if let slot = slots[name] { return slot }
        let source: Source =
            switch name {
            case "email": .address
            case "name": .displayName
            case "unsubscribe_url": .unsubscribeURL
            default: .variable
            }
        slots[name] = entries.count
        entries.append(Entry(key: name, source: source))
        return entries.count - 1
    }

    /// Whether a template that was compiled with them has `unsubscribe_url`.
    var haveUnsubscribeURL: Bool { entries.contains { $0.source == .unsubscribeURL } }

    /// Fills `scratch.roots`, one value a slot.
    func resolve(_ recipient: MergeRecipient, _ envelope: MessageEnvelopeFields, into scratch: inout RenderScratch) {
        if scratch.positions.count != entries.count {
            scratch.positions = Array(repeating: 0, count: entries.count)
        }
        scratch.roots.removeAll(keepingCapacity: true)
        scratch.roots.reserveCapacity(entries.count)
        for slot in entries.indices {
            let value: MergeValue?
            switch entries[slot].source {
            case .variable:
                value = find(slot, in: recipient.variables, &scratch.positions)
            case .address:
                value = .text(recipient.address.text)
            case .displayName:
                let own = find(slot, in: recipient.variables, &scratch.positions)
                if let own, own != .null {
                    value = own
                } else if let name = recipient.name, !name.isEmpty {
                    value = .text(name)
                } else {
                    value = nil
                }
            case .unsubscribeURL:
                value =
                    envelope.unsubscribeURL.map(MergeValue.text)
                    ?? find(slot, in: recipient.variables, &scratch.positions)
            }
            scratch.roots.append(value)
        }
    }

    /// Gives `unsubscribe_url` the value that a URI of the customer's own has made, once it is merged.
    func setUnsubscribeURL(_ url: String, in scratch: inout RenderScratch) {
        for slot in entries.indices where entries[slot].source == .unsubscribeURL { scratch.roots[slot] = .text(url) }
    }

    /// Recipients of one upload mostly have their fields in one order, so the place of the last one is tried first.
    private func find(_ slot: Int, in variables: MergeVariables, _ positions: inout [Int]) -> MergeValue? {
        let key = entries[slot].key
        let guess = positions[slot]
        if guess < variables.fields.count, variables.fields[guess].key == key { return variables.fields[guess].value }
        guard let position = variables.fields.firstIndex(where: { $0.key == key }) else { return nil }
        positions[slot] = position
        return variables.fields[position].value
    }
}
