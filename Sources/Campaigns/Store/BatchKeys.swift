import MailTypes

/// Primary keys of batches as the parallel arrays that set-wise statements take.
struct BatchKeys {
    var accounts: [Int64] = []
    var campaigns: [Int64] = []
    var numbers: [Int32] = []

    init(_ batches: some Collection<BatchID>) {
        accounts.reserveCapacity(batches.count)
        campaigns.reserveCapacity(batches.count)
        numbers.reserveCapacity(batches.count)
        for batch in batches {
            accounts.append(batch.account.rawValue)
            campaigns.append(batch.campaign.rawValue)
            numbers.append(batch.number)
        }
    }
}

extension BatchID {
    init(_ account: Int64, _ campaign: Int64, _ number: Int32) {
        self.init(
            account: AccountID(rawValue: account), campaign: CampaignID(rawValue: campaign), number: number)
    }
}
