/// The entries of a mapping whose keys are known beforehand.
package struct YAMLFields {
    /// In the order of the file.
    package let all: [(name: String, value: YAMLValue)]
    private let mapping: YAMLValue

    init(_ mapping: YAMLValue, _ entries: [(name: String, value: YAMLValue)]) {
        self.mapping = mapping
        all = entries
    }

    package subscript(name: String) -> YAMLValue? { all.first { $0.name == name }?.value }

    package func required(_ name: String) throws(YAMLError) -> YAMLValue {
        guard let value = self[name] else { throw mapping.error(.missingKey, "lacks \(name)") }
        return value
    }
}
