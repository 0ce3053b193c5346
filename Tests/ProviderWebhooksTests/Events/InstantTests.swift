import Postgres
import Testing

@testable import ProviderWebhooks

@Suite struct InstantTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2016-01-27T14:59:38.237Z", 1_453_906_778_237_000),
            ("2014-08-01T13:28:10.2735393-04:00", 1_406_914_090_273_539),
            ("2024-02-29T23:59:59+00:00", 1_709_251_199_000_000),
            ("2026-11-30 10:00:00.5+05:30", 1_796_013_000_500_000),
        ] as [(String, Int64)])
    func `times of RFC 3339 are read to the microsecond`(_ text: String, _ microseconds: Int64) {
        #expect(Instant.reading(text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        "", "2016-01-27", "2016-01-27T14:59:38", "2016-13-27T14:59:38Z", "2016-01-27T24:59:38Z",
        "2016-01-27T14:59:38.Z",
        "2016-01-27T14:59:38+0100", "x016-01-27T14:59:38Z", "2025-02-29T14:59:38Z",
    ])
    func `other texts are none`(_ text: String) {
        #expect(Instant.reading(text) == nil)
    }
}
