import Glibc

/// The environment of this process.
package enum ProcessEnvironment {
    package static var current: [String: String] {
        var result: [String: String] = [:]
        for name in ["SLUICE_POSTGRES_BIN", "SLUICE_POSTGRES_USER", "XDG_RUNTIME_DIR"] {
            if let value = unsafe getenv(name) { result[name] = unsafe String(cString: value) }
        }
        return result
    }
}
