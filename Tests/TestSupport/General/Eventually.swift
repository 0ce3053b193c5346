package import Testing

/// Looks again and again until something is so. A test that waits for what never comes fails after two minutes; other
/// tests make databases meanwhile, so the bound is generous.
///
/// - Parameter what: ends the sentence "waited in vain until …".
package func eventually(
    _ what: String = "it happens", sourceLocation: SourceLocation = #_sourceLocation,
    _ isSo: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while try await !isSo() {
        try #require(ContinuousClock.now < deadline, "waited in vain until \(what)", sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(10))
    }
}
