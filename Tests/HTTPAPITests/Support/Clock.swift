import Foundation

enum Clock {
    /// RFC 3339, to the second.
    static func text(after seconds: Double) -> String {
        Date(timeIntervalSince1970: (Date().timeIntervalSince1970 + seconds).rounded()).formatted(.iso8601)
    }
}
