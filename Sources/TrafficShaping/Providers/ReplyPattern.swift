package import MailTypes

/// Which refusals an action answers: all conditions that are given must hold.
package struct ReplyPattern: Sendable, Hashable, CustomStringConvertible {
    /// A reply code such as `421`, an `x` standing for any digit: `4xx`.
    package struct Code: Sendable, Hashable, CustomStringConvertible {
        private let digits: [Int?]

        /// Nil unless the text has three places, the first a 4 or a 5.
        package init?(_ text: String) {
            let characters = Array(text)
            guard characters.count == 3, characters[0] == "4" || characters[0] == "5" else { return nil }
            var digits: [Int?] = []
            for character in characters {
                if character == "x" {
                    digits.append(nil)
                } else if character.isASCII, let digit = character.wholeNumberValue {
                    digits.append(digit)
                } else {
                    return nil
                }
            }
            self.digits = digits
        }

        package func matches(_ code: Int) -> Bool {
            zip(digits, [code / 100, code / 10 % 10, code % 10]).allSatisfy { $0 == nil || $0 == $1 }
        }

        package var description: String { digits.map { $0.map(String.init) ?? "x" }.joined() }
    }

    /// An enhanced status code such as `4.7.28`, a `*` standing for any number: `4.7.*`.
    package struct Enhanced: Sendable, Hashable, CustomStringConvertible {
        private let numbers: [Int?]

        /// Nil unless the text has three parts, each a number up to 999 or a `*`.
        package init?(_ text: String) {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 3 else { return nil }
            var numbers: [Int?] = []
            for part in parts {
                if part == "*" {
                    numbers.append(nil)
                } else if part.allSatisfy(\.isASCII), let number = UInt(part), number <= 999 {
                    numbers.append(Int(number))
                } else {
                    return nil
                }
            }
            self.numbers = numbers
        }

        package func matches(_ code: EnhancedStatusCode) -> Bool {
            zip(numbers, [Int(code.statusClass), Int(code.subject), Int(code.detail)])
                .allSatisfy { $0 == nil || $0 == $1 }
        }

        package var description: String { numbers.map { $0.map(String.init) ?? "*" }.joined(separator: ".") }
    }

    package let code: Code?
    package let enhanced: Enhanced?
    /// One of these occurs. Case, line breaks and codes repeated on each line do not matter.
    package let contains: [String]
    package let action: ReplyAction
    /// The provider whose rules it comes from, and the file.
    package let origin: String
    private let phrases: [PlainReply]

    init(code: Code?, enhanced: Enhanced?, contains: [String], action: ReplyAction, origin: String) {
        self.code = code
        self.enhanced = enhanced
        self.contains = contains
        self.action = action
        self.origin = origin
        phrases = contains.map { PlainReply($0) }
    }

    func matches(code: Int, enhanced: EnhancedStatusCode?, text: PlainReply) -> Bool {
        if let pattern = self.code, !pattern.matches(code) { return false }
        if let pattern = self.enhanced {
            guard let enhanced, pattern.matches(enhanced) else { return false }
        }
        return phrases.isEmpty || phrases.contains { text.contains($0) }
    }

    package var description: String {
        var conditions: [String] = []
        if let code { conditions.append("\(code)") }
        if let enhanced { conditions.append("\(enhanced)") }
        if !contains.isEmpty { conditions.append(contains.map { "\"\($0)\"" }.joined(separator: " or ")) }
        return "\(conditions.joined(separator: ", ")): \(action)"
    }
}
