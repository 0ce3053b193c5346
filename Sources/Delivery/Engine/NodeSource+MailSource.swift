import Campaigns
import TrafficShaping

extension NodeSource {
    /// As the store, and through it every customer's quote, knows a source.
    init(_ source: MailSource) {
        self.init(
            address: source.address, pool: source.pool, warmUpFrom: source.warmUp?.startDay,
            allowances: source.warmUp?.dailyAllowances ?? [])
    }
}
