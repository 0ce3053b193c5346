import ArgumentParser
import Campaigns
import Fleet

struct NodesCommand: RecordsCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "List the nodes that deliver with these records.")

    @OptionGroup var data: DataOptions
    @Flag(help: "Print JSON.") var json = false

    func run(_ records: Records) async throws {
        let batches = try await records.delivery.leasedBatches()
        let nodes = try await records.fleet.nodes().map { ListedNode($0, batches: batches[$0.name, default: 0]) }
        try printResult(nodes, asJSON: json) {
            var table = TextTable(
                header: ["node", "state", "started", "last seen", "batches"], rightAligned: [2, 3, 4])
            for node in nodes {
                table.add(
                    node.name, node.isAlive ? "alive" : "gone", span(node.startedSecondsAgo) + " ago",
                    span(node.seenSecondsAgo) + " ago", grouped(node.batches))
            }
            return nodes.isEmpty ? "no node has delivered yet" : table.text
        }
    }
}

private struct ListedNode: Encodable {
    let name: String
    let startedSecondsAgo: Double
    let seenSecondsAgo: Double
    let isAlive: Bool
    /// Under a lease that holds.
    let batches: Int

    init(_ node: NodeStatus, batches: Int) {
        name = node.name
        startedSecondsAgo = node.startedSecondsAgo
        seenSecondsAgo = node.seenSecondsAgo
        isAlive = node.isAlive
        self.batches = batches
    }
}

/// `4 s`, `12 min`, `3 h 05`, `4 d`
func span(_ seconds: Double) -> String {
    let whole = Int(max(0, seconds))
    return switch whole {
    case ..<120: "\(whole) s"
    case ..<7_200: "\(whole / 60) min"
    case ..<172_800: "\(whole / 3_600) h \(whole / 60 % 60 < 10 ? "0" : "")\(whole / 60 % 60)"
    default: "\(whole / 86_400) d"
    }
}
