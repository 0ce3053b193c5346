import Foundation
import MailTypes
import NIOCore
import StrictYAML
import TrafficShaping

/// The operator's file of source addresses.
///
///     pools:
///       default:
///         - {address: 192.0.2.10, helo: out1.example.com, weight: 2}
///         - {address: 192.0.2.11, helo: out2.example.com, warm_up: 2026-11-21}
enum SourcesFile {
    /// - Parameter ownAddresses: of this machine; a source must be one of them.
    /// - Throws: ``SettingError`` with the place in the file.
    static func read(_ file: String, ownAddresses: Set<IPAddress>) throws -> [String: SourcePool] {
        try OperatorFile.read(file, of: .sources) { root in
            var seen: Set<String> = []
            var pools: [String: SourcePool] = [:]
            for (name, list) in try root.fields(["pools"]).required("pools").entries() {
                let sources = try list.list().map { entry in
                    let source = try source(entry, pool: name, ownAddresses)
                    guard seen.insert(source.address).inserted else {
                        throw entry.error(.duplicate, "\(source.address) is given twice")
                    }
                    return source
                }
                pools[name] = SourcePool(name: name, sources: sources)
            }
            return pools
        }
    }

    private static func source(
        _ entry: YAMLValue, pool: String, _ ownAddresses: Set<IPAddress>
    ) throws(YAMLError) -> MailSource {
        let fields = try entry.fields(["address", "helo", "weight", "warm_up"])
        let helo = try fields.required("helo")
        let heloName = try helo.word()
        guard (1...255).contains(heloName.utf8.count), heloName.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw helo.error("is not a host name")
        }
        return MailSource(
            address: try address(fields.required("address"), ownAddresses).description, heloName: heloName,
            weight: try fields["weight"]?.number(1...1_000) ?? 1, pool: pool, warmUp: try warmUp(fields["warm_up"]))
    }

    private static func address(_ value: YAMLValue, _ ownAddresses: Set<IPAddress>) throws(YAMLError) -> IPAddress {
        let text = try value.word()
        guard let address = IPAddress(text) else { throw value.error("\(text) is not an IP address") }
        guard ownAddresses.contains(address) else { throw value.error("\(text) is not an address of this machine") }
        return address
    }

    /// - Parameter value: the first day.
    private static func warmUp(_ value: YAMLValue?) throws(YAMLError) -> WarmUpSchedule? {
        guard let value else { return nil }
        guard let date = try? Date(value.word(), strategy: .iso8601.year().month().day()) else {
            throw value.error("expected a day such as 2026-11-21")
        }
        return WarmUpSchedule(startDay: Int(date.timeIntervalSince1970 / 86_400))
    }

    /// The addresses of this machine's interfaces.
    static func ownAddresses() throws -> Set<IPAddress> {
        Set(try System.enumerateDevices().compactMap { $0.address?.ipAddress.flatMap { IPAddress($0) } })
    }
}
