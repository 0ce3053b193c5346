import Identity
import Testing

@Suite struct APIKeyTests {
    @Test func a_new_key_reads_back() throws {
        var generator = SystemRandomNumberGenerator()
        let key = APIKey(using: &generator)
        #expect(key.exposed.hasPrefix("sl_live_"))
        #expect(key.exposed.utf8.count == 46)
        #expect(key.exposed.dropFirst(8).allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
        let read = try #require(APIKey(key.exposed))
        #expect(read == key)
        #expect(read.hash == key.hash && key.hash.count == 32)
    }

    @Test func `a test key says so, and its checksum is of that`() throws {
        var generator = SystemRandomNumberGenerator()
        let key = APIKey(isTest: true, using: &generator)
        #expect(key.exposed.hasPrefix("sl_test_") && key.exposed.utf8.count == 46 && key.isTest)
        #expect(APIKey(key.exposed) == key && key.displayPrefix.hasPrefix("sl_test_"))
        // What was made for one is no key of the other.
        #expect(APIKey("sl_live_" + key.exposed.dropFirst(8)) == nil)
        let live = APIKey(using: &generator)
        #expect(!live.isTest && APIKey("sl_test_" + live.exposed.dropFirst(8)) == nil)
    }

    @Test func keys_differ() {
        var generator = SystemRandomNumberGenerator()
        let keys = (0..<1_000).map { _ in APIKey(using: &generator).exposed }
        #expect(Set(keys).count == keys.count)
        #expect(Set(keys.flatMap { $0.dropFirst(8) }).count == 62)
    }

    @Test func each_mistyped_character_is_noticed() {
        var generator = SystemRandomNumberGenerator()
        let key = Array(APIKey(using: &generator).exposed)
        for index in key.indices {
            for wrong in ["A", "z", "0", "_", "é"] as [Character] where wrong != key[index] {
                var changed = key
                changed[index] = wrong
                #expect(APIKey(String(changed)) == nil)
            }
        }
        #expect(APIKey(String(key.dropLast())) == nil)
        #expect(APIKey(String(key) + "0") == nil)
    }

    @Test(arguments: ["", "sl_live_", "Bearer", "sl_prod_00000000000000000000000000000000000000", "sk_live_x"])
    func what_is_no_key_is_refused(text: String) {
        #expect(APIKey(text) == nil)
    }

    @Test func descriptions_do_not_show_the_key() {
        var generator = SystemRandomNumberGenerator()
        let key = APIKey(using: &generator)
        var dumped = ""
        dump(key, to: &dumped)
        for text in ["\(key)", String(reflecting: key), "\([key])", dumped] {
            #expect(!text.contains(key.exposed.dropFirst(12)))
        }
        #expect(key.displayPrefix.count == 12)
    }
}
