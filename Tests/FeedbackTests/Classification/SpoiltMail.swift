/// A mail as a broken server, or somebody who wishes us ill, would write it.
enum SpoiltMail {
    static func of(_ octets: [UInt8], using generator: inout some RandomNumberGenerator) -> [UInt8] {
        var octets = octets
        for _ in 0..<Int.random(in: 1...6, using: &generator) where octets.count > 8 {
            let place = Int.random(in: 0..<octets.count, using: &generator)
            let end = min(octets.count, place + Int.random(in: 1...200, using: &generator))
            switch Int.random(in: 0..<7, using: &generator) {
            case 0: octets.removeSubrange(place..<end)
            case 1: octets.insert(contentsOf: octets[place..<end], at: place)
            case 2: octets[place] = UInt8.random(in: 0...255, using: &generator)
            case 3: octets.removeSubrange(place...)
            case 4: octets.insert(contentsOf: marks.randomElement(using: &generator) ?? [], at: place)
            case 5: octets.swapAt(place, Int.random(in: 0..<octets.count, using: &generator))
            default:
                let from = Int.random(in: 0..<octets.count, using: &generator)
                octets.insert(contentsOf: octets[from..<min(octets.count, from + 50)], at: place)
            }
        }
        return octets
    }

    /// What means something to the reader.
    private static let marks: [[UInt8]] =
        [
            "\n\n", "\r\n\r\n", "\r", "--", "\n--x\n", "=?utf-8?q?", "=?iso-2022-jp?b?GyRC?=", "?=", "@", "<@>", "\"@",
            "\u{1B}$B",
            "\nContent-Type: multipart/mixed; boundary=", "\nContent-Type: message/delivery-status\n\n", "=3", "=\n",
            "550 5.1.1",
            "\nFinal-Recipient:", "\nAction: failed\n", "&#64;", "<style>", "{\"notificationType\":\"Bounce\"",
        ].map { Array($0.utf8) } + [[0], [0xFF, 0xFE], [0xE3, 0x81]]
}
