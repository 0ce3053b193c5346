import Crypto
import Foundation
import SMTPTransport
import SwiftASN1
import TestPeers
import X509

extension TLSIdentity {
    /// What a server needs to show a certificate that a test has made.
    init(_ made: TestAuthority.Identity) throws {
        let name = NSTemporaryDirectory() + "sluice-identity-\(UUID().uuidString)"
        let chain = try made.chain.map { try $0.serializeAsPEM().pemString }.joined(separator: "\n")
        try Data(chain.utf8).write(to: URL(filePath: name + ".pem"))
        try Data(made.key.pemRepresentation.utf8).write(to: URL(filePath: name + ".key"))
        try self.init(certificateFile: name + ".pem", privateKeyFile: name + ".key")
        for suffix in [".pem", ".key"] { try FileManager.default.removeItem(atPath: name + suffix) }
    }
}
