import Foundation
package import SMTPTransport

/// A certificate for trials, made by the `openssl` program and gone from the disk when it has been loaded.
package enum SelfSignedCertificate {
    /// Blocks for some milliseconds.
    package static func make(hostname: String) throws -> TLSIdentity {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("sluice-certificate-" + UUID().uuidString)
        try FileManager.default.createDirectory(
            at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(at: directory) }
        let certificate = directory.appendingPathComponent("certificate.pem").path
        let key = directory.appendingPathComponent("key.pem").path
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "30", "-subj", "/CN=" + hostname, "-addext", "subjectAltName=DNS:" + hostname,
            "-keyout", key, "-out", certificate,
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw SmartSinkError(code: .certificateNotMade, path: "openssl")
        }
        return try TLSIdentity(certificateFile: certificate, privateKeyFile: key)
    }
}
