import Campaigns
import Synchronization

/// Where the recipients of a batch stand, found out when first asked.
final class RecipientPlaces: Sendable {
    private let places = Mutex<[Int32: Int]?>(nil)

    func place(of index: Int32, in batch: ClaimedBatch) -> Int? {
        places.withLock { places in
            if let places { return places[index] }
            var made: [Int32: Int] = [:]
            made.reserveCapacity(batch.records.count)
            for (place, record) in batch.records.enumerated() { made[record.index] = place }
            places = made
            return made[index]
        }
    }
}
