import Testing

@testable import Vault

@Suite("Key cache")
struct KeyCacheTests {
    @Test func `it keeps the keys used last`() {
        let cache = KeyCache<Int, Int>(capacity: 16)
        for number in 0..<16 { cache.insert(number, for: number, since: cache.generation) }
        _ = cache.value(for: 0)
        cache.insert(16, for: 16, since: cache.generation)
        #expect(cache.count <= 16)
        #expect(cache.value(for: 0) == 0)
        #expect(cache.value(for: 16) == 16)
        #expect(cache.value(for: 1) == nil)
    }

    @Test func `it stays within its capacity`() {
        let cache = KeyCache<Int, Int>(capacity: 100)
        for number in 0..<1_000 {
            cache.insert(number, for: number, since: cache.generation)
            #expect(cache.count <= 100)
            #expect(cache.value(for: number) == number)
        }
    }

    @Test func `a key read before a removal does not come back`() {
        let cache = KeyCache<Int, Int>(capacity: 10)
        let seen = cache.generation
        cache.remove(1)
        cache.insert(1, for: 1, since: seen)
        #expect(cache.value(for: 1) == nil)
        cache.insert(1, for: 1, since: cache.generation)
        #expect(cache.value(for: 1) == 1)
    }
}
