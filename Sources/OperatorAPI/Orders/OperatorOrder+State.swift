package import Campaigns

extension OperatorOrder.Action {
    /// What mail under the order is, in the words of answers, tables and commands.
    package var state: String {
        switch self {
        case .suspend: "suspended"
        case .drain: "draining"
        case .fail: "failing"
        case .resume: "active"
        }
    }
}
