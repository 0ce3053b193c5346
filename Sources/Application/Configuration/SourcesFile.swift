import Delivery
import Foundation
import MailTypes
import NIOCore
import TrafficShaping

/// The operator's file of source addresses.
///
///     pools:
///       default:
///         - {address: 192.0.2.10, helo: out1.example.com, weight: 2}
///         - {address: 192.0.2.11, helo: out2.example.com, warm_up: 2026-11-21}
enum SourcesFile {
    private struct Content: Decodable {
        let pools: [String: [Source]]
    }

    private struct Source: Decodable {
        let address: String
        let helo: String
        let weight: Int?
        /// The first day of the warm-up.
        let warmUp: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case address, helo, weight
            case warmUp = "warm_up"
        }

        init(from decoder: any Decoder) throws {
            try decoder.refuseUnknownKeys(CodingKeys.self)
            let values = try decoder.container(keyedBy: CodingKeys.self)
            address = try values.decode(String.self, forKey: .address)
            helo = try values.decode(String.self, forKey: .helo)
            weight = try values.decodeIfPresent(Int.self, forKey: .weight)
            warmUp = try values.decodeIfPresent(String.self, forKey: .warmUp)
        }
    }

    /// - Parameter ownAddresses: of this machine; a source must be one of them.
    static func read(_ file: String, ownAddresses: Set<IPAddress>) throws -> [String: SourcePool] {
        let content = try StrictYAML<Content>(file, setting: "sources").content
        var seen: Set<String> = []
        return try content.pools.reduce(into: [:]) { pools, entry in
            guard !entry.value.isEmpty else { throw error("pool \(entry.key) has no source") }
            let sources = try entry.value.map { source in
                guard seen.insert(source.address).inserted else { throw error("\(source.address) is given twice") }
                return try mailSource(source, pool: entry.key, ownAddresses)
            }
            pools[entry.key] = SourcePool(name: entry.key, sources: sources)
        }
    }

    private static func mailSource(
        _ source: Source, pool: String, _ ownAddresses: Set<IPAddress>
    ) throws -> MailSource {
        guard let address = IPAddress(source.address) else { throw error("\(source.address) is not an IP address") }
        guard ownAddresses.contains(address) else {
            throw error("\(source.address) is not an address of this machine")
        }
        guard (1...1_000).contains(source.weight ?? 1) else { throw error("a weight is 1 to 1000") }
        guard (1...255).contains(source.helo.utf8.count), source.helo.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw error("helo of \(source.address) is not a host name") }
        let start = try source.warmUp.map { text in
            guard let date = try? Date(text, strategy: .iso8601.year().month().day()) else {
                throw error("warm_up of \(source.address) is a day such as 2026-11-21")
            }
            return WarmUpSchedule(startDay: Int(date.timeIntervalSince1970 / 86_400))
        }
        return MailSource(
            address: address.description, heloName: source.helo, weight: source.weight ?? 1, pool: pool, warmUp: start)
    }

    private static func error(_ problem: String) -> SettingError {
        SettingError(setting: "sources", problem: problem)
    }

    /// The addresses of this machine's interfaces.
    static func ownAddresses() throws -> Set<IPAddress> {
        Set(try System.enumerateDevices().compactMap { $0.address?.ipAddress.flatMap { IPAddress($0) } })
    }
}
