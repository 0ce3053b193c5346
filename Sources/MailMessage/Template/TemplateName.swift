/// A name in a tag: `first_name`, `order.total`, or `.` for the item of the list around it.
///
/// Looked up in the innermost section's object first, then outwards, then among the recipient's variables: the first
/// that has the first part decides. A dotted name follows its parts through objects; where no object leads on from the
/// recipient's variables, a variable with the whole name, dots included, is taken, since a CSV column may be called
/// `order.total`.
struct TemplateName: Sendable, Hashable {
    /// As written in the template.
    var text: String
    var first: String
    /// The parts after the first.
    var rest: [String]
    /// Slot of `first` in `TemplateRoots`; -1 for `.`.
    var slot: Int
    /// Slot of the whole dotted name; -1 if the name has no dots.
    var wholeSlot: Int

    var isItem: Bool { slot < 0 }

    /// For error texts: the name if it looks like a variable's name. Anything else could be text that got between
    /// braces by mistake, and error texts hold no message text.
    static func shown(_ name: String) -> String {
        let isPlain = name.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_", "-", ".", " ": true
            default: !scalar.isASCII && scalar.properties.isAlphabetic
            }
        }
        return isPlain && name.utf8.count <= 64 ? "{{\(name)}}" : "a tag"
    }
}
