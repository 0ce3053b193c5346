import Logging
import MailSigning

/// How RSA signatures are made.
struct BatchSignerSettings: Sendable {
    let mode: BatchSigner.Mode
    /// Nil for the loader to find it.
    let library: String?

    init(_ settings: Settings) throws(SettingError) {
        let text = settings.value(.batchSigner)
        guard let mode = BatchSigner.Mode(rawValue: text) else {
            throw SettingError(setting: .batchSigner, problem: "\(text) is not off, auto or require")
        }
        self.mode = mode
        library = settings.text(.batchSignerLibrary)
    }

    /// The signer, or one that leaves all to libcrypto and says why.
    func open(onMismatch: @escaping @Sendable () -> Void = {}) async -> BatchSigner {
        await BatchSigner.start(mode, library: library, onMismatch: onMismatch)
    }

    /// - Throws: ``SettingError`` where it is required and cannot be had.
    func start(logger: Logger) async throws(SettingError) -> BatchSigner {
        let signer = await open {
            logger.critical("a signature did not fit its message: all are made one by one until the restart")
        }
        let status = signer.status
        guard mode != .require || status.isBatch else {
            throw SettingError(
                setting: .batchSigner, problem: "signatures cannot be made eight at a time: \(status.detail)")
        }
        logger.notice(
            status.isBatch ? "RSA signatures are made eight at a time" : "RSA signatures are made one by one",
            metadata: ["signer": "\(status.detail)"])
        return signer
    }
}
