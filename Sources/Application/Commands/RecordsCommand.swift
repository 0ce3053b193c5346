import ArgumentParser
import Foundation
import Logging
import Postgres

/// A command that works on the databases, of a running server or by itself.
protocol RecordsCommand: AsyncParsableCommand {
    var data: DataOptions { get }
    /// Flags of the command that are settings.
    var settings: [Setting: String] { get }
    func run(_ records: Records) async throws
}

extension RecordsCommand {
    var settings: [Setting: String] { [:] }

    func run() async throws {
        let settings = try await data.settings(self.settings)
        let records = try await Records.open(settings, role: .client, logger: try settings.logger("sluice"))
        do {
            try await run(records)
        } catch {
            await records.close()
            throw error
        }
        await records.close()
    }
}

/// Prints one result: JSON, or text for people.
func printResult(_ value: some Encodable, asJSON: Bool, text: () -> String) throws {
    StandardOutput.print(asJSON ? try jsonText(value) : text())
}

func jsonText(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}
