import Crypto
import Foundation

/// The one script of the pages of people.
package enum PageScript {
    package static let text = String(decoding: PackageResources.pages_js, as: UTF8.self)
    /// What a browser compares it with before it runs it (Subresource Integrity).
    static let integrity = "sha256-" + Data(SHA256.hash(data: Data(PackageResources.pages_js))).base64EncodedString()
}
