import Foundation

/// A program of the system, run to its end.
enum ProgramRun {
    /// The path of `name`, or nil, after printing why the test is skipped.
    static func find(_ name: String) -> String? {
        for folder in ["/usr/bin", "/usr/sbin", "/usr/local/bin"] {
            let path = folder + "/" + name
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        print("skipped: \(name) is not installed")
        return nil
    }

    /// - Returns: exit status and all output.
    @concurrent static func run(_ path: String, _ arguments: [String]) async throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    /// A self-signed certificate and its key in a temporary folder, which the caller removes.
    static func makeCertificate() async throws -> (folder: URL, certificate: String, key: String)? {
        guard let openssl = find("openssl") else { return nil }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let certificate = folder.appendingPathComponent("certificate.pem").path
        let key = folder.appendingPathComponent("key.pem").path
        let made = try await run(
            openssl,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=mx.example.org", "-keyout", key, "-out", certificate,
            ])
        guard made.status == 0 else {
            print("skipped: openssl made no certificate")
            return nil
        }
        return (folder, certificate, key)
    }
}
