import ArgumentParser
import OperatorAPI

/// How commands find a running server.
struct OperatorOptions: ParsableArguments {
    @OptionGroup var data: DataOptions
    @Option(.operatorSocket) var operatorSocket: String?

    init() {}

    func client() async throws -> OperatorClient {
        OperatorClient(socket: try await data.settings(.init(given: [.operatorSocket: operatorSocket])).operatorSocket)
    }
}
