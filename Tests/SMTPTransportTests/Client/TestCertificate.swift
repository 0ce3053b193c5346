import Foundation
import NIOSSL

/// A self-signed certificate for `mx.example`, made anew by `openssl` for each run of the tests.
struct TestCertificate: Sendable {
    let certificateFile: String
    let serverContext: NIOSSLContext

    /// Nil, with the reason printed, where there is no `openssl`.
    static let shared: TestCertificate? = {
        do {
            return try TestCertificate()
        } catch {
            print("skipped: TLS tests need the openssl command (\(error))")
            return nil
        }
    }()

    private struct OpenSSLFailed: Error {
        let status: Int32
    }

    private init() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let certificate = folder.appendingPathComponent("certificate.pem").path
        let key = folder.appendingPathComponent("key.pem").path
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=mx.example", "-addext", "subjectAltName=DNS:mx.example", "-keyout", key, "-out",
            certificate,
        ]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw OpenSSLFailed(status: process.terminationStatus) }
        let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
        serverContext = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(NIOSSLPrivateKey(file: key, format: .pem))))
        try FileManager.default.removeItem(atPath: key)
        certificateFile = certificate
    }
}
