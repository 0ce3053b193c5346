import Feedback
import TestSupport

extension ReplyCorpus.Row {
    /// The classes that are right.
    var accepted: [ReplyClass] { classes.compactMap { ReplyClass(rawValue: $0) } }
}
