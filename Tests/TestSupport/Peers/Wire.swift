import MailTypes

/// Record data in wire form.
package enum Wire {
    package static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    package static func mx(_ preference: Int, _ host: String) -> [UInt8] {
        [UInt8(preference >> 8), UInt8(preference & 255)] + name(host)
    }

    package static func address(_ text: String) -> [UInt8] { IPAddress(text)!.bytes }

    package static func text(_ strings: String...) -> [UInt8] {
        strings.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    }
}
