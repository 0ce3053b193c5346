import Fleet
import TrafficShaping

extension NodeSource {
    /// As the other nodes, and every customer's quote, know a source.
    init(_ source: MailSource) {
        self.init(
            address: source.address, pool: source.pool, warmUpFrom: source.warmUp?.startDay,
            allowances: source.warmUp?.dailyAllowances ?? [])
    }
}
