import Synchronization

/// Bounds the deliveries that are read or verified at the same time on this node, so that one source leaves room for others.
final class OpenDeliveries: Sendable {
    private struct State {
        var bySource: [Int64: Int] = [:]
        var total = 0
    }

    private let state = Mutex(State())

    /// Nil where the source or the node has no place. It is free again when the object is gone.
    func place(for source: Int64) -> Place? {
        let isFree = state.withLock { state in
            guard state.total < ProviderLimits.open, state.bySource[source, default: 0] < ProviderLimits.openPerSource
            else { return false }
            state.total += 1
            state.bySource[source, default: 0] += 1
            return true
        }
        return isFree ? Place(source: source, deliveries: self) : nil
    }

    final class Place: Sendable {
        private let source: Int64
        private let deliveries: OpenDeliveries

        fileprivate init(source: Int64, deliveries: OpenDeliveries) {
            self.source = source
            self.deliveries = deliveries
        }

        deinit {
            deliveries.state.withLock { state in
                let left = state.bySource[source, default: 0] - 1
                state.bySource[source] = left > 0 ? left : nil
                state.total -= 1
            }
        }
    }
}
