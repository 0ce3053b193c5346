import Foundation

/// An authority of a test's own, and what it vouches for, made by openssl.
struct TestCertificates {
    private let folder: String

    /// PEM file of the authority.
    var roots: String { folder + "/root.pem" }

    init(in folder: String) throws {
        self.folder = folder
        try openssl(
            "req", "-x509", "-days", "2", "-subj", "/CN=Test Root", "-keyout", folder + "/root.key", "-out", roots)
    }

    /// - Returns: the options of a sink that shows a certificate for this name.
    func sinkOptions(for host: String) throws -> [String] {
        let base = folder + "/" + host
        try openssl("req", "-subj", "/CN=\(host)", "-keyout", base + ".key", "-out", base + ".csr")
        try "subjectAltName=DNS:\(host)\nextendedKeyUsage=serverAuth\n"
            .write(toFile: base + ".extensions", atomically: false, encoding: .utf8)
        try Programs.run(
            "/usr/bin/env",
            [
                "openssl", "x509", "-req", "-days", "2", "-in", base + ".csr", "-CA", roots, "-CAkey",
                folder + "/root.key", "-CAcreateserial", "-extfile", base + ".extensions", "-out", base + ".pem",
            ])
        return ["--certificate", base + ".pem", "--private-key", base + ".key"]
    }

    private func openssl(_ command: String, _ arguments: String...) throws {
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        try Programs.run("/usr/bin/env", ["openssl", command] + key + arguments)
    }
}
