import MailTypes

@testable import Identity

/// The cache with numbers in place of keys.
struct AuthenticationCacheProbe {
    private let cache: AuthenticationCache<[UInt8], AuthenticatedKey>

    init(capacity: Int) { cache = AuthenticationCache(seconds: 10, capacity: capacity) }

    func keep(_ number: Int) {
        let key = AuthenticatedKey(
            account: AccountID(rawValue: 1), id: APIKeyID(rawValue: Int64(number)), terms: KeyTerms(),
            requestsPerMinute: nil, hash: [UInt8(number)])
        cache.keep(key, for: [UInt8(number)], readAt: 0)
    }

    func finds(_ number: Int) -> Bool { cache.find([UInt8(number)], now: 1)?.id.rawValue == Int64(number) }

    var count: Int { (0..<UInt8.max).count { finds(Int($0)) } }
}
