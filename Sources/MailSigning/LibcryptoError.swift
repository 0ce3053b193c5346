import COpenSSL

enum LibcryptoError {
    /// An error with libcrypto's reason, which names no key; empties the thread's error queue, lest a later call of
    /// another user of libcrypto on this thread take the entry for its own.
    static func take(_ detail: String, code: DKIMError.Code = .libraryFailure) -> DKIMError {
        defer { ERR_clear_error() }
        let last = ERR_peek_last_error()
        guard last != 0, let reason = unsafe ERR_reason_error_string(last) else { return DKIMError(code, detail) }
        return DKIMError(code, detail + " (" + (unsafe String(cString: reason)) + ")")
    }
}
