/// What becomes of a recipient whose answer to the final dot was lost: the mail may or may not have arrived.
package enum InDoubtPolicy: String, CaseIterable, Sendable, Hashable, Codable {
    /// Send again, under the same Message-ID. At worst the recipient gets two copies.
    case resend
    /// Do not send again. At worst the recipient gets none. Not charged.
    case skip
}
