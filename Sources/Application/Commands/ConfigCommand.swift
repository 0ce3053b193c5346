import ArgumentParser

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Look at settings.", subcommands: [Check.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the settings of `sluice serve` as its start does, and start nothing.",
            discussion: """
                Takes the flags, the environment and the file that `sluice serve` would take. Reads the files that they \
                name, opens no database and asks no other host. Ends with status 1 where the start would refuse a \
                setting, or one is unsafe in production.
                """)

        @OptionGroup var data: DataOptions
        @OptionGroup var server: ServerOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let findings: [Finding]
            do {
                findings = try SettingsExamination(settings: await data.settings(server.values)).findings()
            } catch {
                findings = [Finding(.problem, "\(error)")]
            }
            try printResult(findings, asJSON: json) { findings.map(\.text).joined(separator: "\n") }
            if findings.contains(where: { $0.level == .problem }) { throw ExitCode(1) }
        }
    }
}
