/// Why a sink did not start.
package struct SmartSinkError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, Hashable {
        case logNotWritable = "log_not_writable"
        case captureNotWritable = "capture_not_writable"
        case certificateNotMade = "certificate_not_made"
    }

    package let code: Code
    package let path: String

    package var description: String {
        switch code {
        case .logNotWritable: "the log \(path) cannot be opened for writing"
        case .captureNotWritable: "the folder \(path) cannot be made or read"
        case .certificateNotMade:
            "a certificate could not be made with \(path); install it, or name a certificate and key"
        }
    }
}
