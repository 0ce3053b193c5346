import ArgumentParser

/// Flags that tell where the data is: shared by all commands that open the databases.
struct DataOptions: ParsableArguments {
    @Option(.data) var data: String?
    @Option(.databaseURL) var databaseURL: String?
    @Option(.vaultDatabaseURL) var vaultDatabaseURL: String?
    @Flag(.allowUnsafeDatabase) var allowUnsafeDatabase = false
    @Option(.masterKeyFile) var masterKeyFile: String?
    @Option(name: .customLong("config"), help: "YAML file with the same settings, such as `data: /srv/sluice`.")
    var configurationFile: String?
    @Option(.logLevel) var logLevel: String?
    @Option(.logFormat) var logFormat: String?

    init() {}

    var values: [Setting: String] {
        .init(given: [
            .data: data, .databaseURL: databaseURL, .vaultDatabaseURL: vaultDatabaseURL,
            .allowUnsafeDatabase: allowUnsafeDatabase, .masterKeyFile: masterKeyFile, .logLevel: logLevel,
            .logFormat: logFormat,
        ])
    }

    /// - Parameter flags: the command's own.
    func settings(_ flags: [Setting: String] = [:]) async throws -> Settings {
        try await Settings(flags: values.merging(flags) { $1 }, file: configurationFile)
    }
}
