/// Writes JSON with the members in the order they are given, so that answers are stable to read and to compare.
package struct JSONText: Sendable {
    package private(set) var text = ""
    private var needsComma = false

    package init() {}

    package mutating func beginObject() { open("{") }
    package mutating func endObject() { close("}") }
    package mutating func beginArray() { open("[") }
    package mutating func endArray() { close("]") }

    package mutating func key(_ name: String) {
        separate()
        append(quoted: name)
        text += ":"
        needsComma = false
    }

    package mutating func value(_ value: String) { scalar { $0.append(quoted: value) } }
    package mutating func value(_ value: Int64) { scalar { $0.text += String(value) } }
    package mutating func value(_ value: Bool) { scalar { $0.text += value ? "true" : "false" } }
    package mutating func null() { scalar { $0.text += "null" } }
    /// - Parameter json: a complete JSON value.
    package mutating func value(raw json: String) { scalar { $0.text += json } }

    package mutating func member(_ name: String, _ value: String) { key(name); self.value(value) }
    package mutating func member(_ name: String, _ value: Int64) { key(name); self.value(value) }
    package mutating func member(_ name: String, _ value: Bool) { key(name); self.value(value) }
    package mutating func member(_ name: String, raw json: String) { key(name); value(raw: json) }
    package mutating func member(_ name: String, _ value: String?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }
    package mutating func member(_ name: String, _ value: Int64?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }
    package mutating func member(_ name: String, _ values: [String]) {
        key(name)
        beginArray()
        for each in values { value(each) }
        endArray()
    }

    private mutating func scalar(_ write: (inout Self) -> Void) {
        separate()
        write(&self)
        needsComma = true
    }

    private mutating func open(_ bracket: String) {
        separate()
        text += bracket
        needsComma = false
    }

    private mutating func close(_ bracket: String) {
        text += bracket
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { text += "," }
        needsComma = false
    }

    private mutating func append(quoted value: String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
