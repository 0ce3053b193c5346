import Foundation
import MailSigning
import Testing

@testable import Application

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct BenchReportTests {
    private static let report = BareBenchmark.Result(
        scenario: Scenario(messages: 2_000), machine: Machine(), messageBytes: 4_096, seconds: 2,
        messagesPerSecond: 1_000, steadyPerSecond: nil,
        cpuSecondsPerThousand: CPUShares(Usage(server: 1, postgres: 0, sink: 0.5), per: 2_000),
        latency: LatencyHistogram().summary, signer: "libcrypto", signing: SigningCounts(),
        rates: RateCurve(name: "R & D <x>", stepSeconds: 1, rates: [900, 1_100]))

    @Test func `the JSON tells scenario and figures`() throws {
        let object = try JSONSerialization.jsonObject(with: Data(jsonText(Self.report).utf8))
        let fields = try #require(object as? [String: Any])
        let scenario = try #require(fields["scenario"] as? [String: Any])
        #expect(scenario["key"] as? String == "rsa" && scenario["size"] as? Int == 4_096)
        #expect(fields["messages_per_second"] as? Double == 1_000)
        let cpu = try #require(fields["cpu_seconds_per_thousand"] as? [String: Double])
        #expect(cpu == ["server": 0.5, "postgres": 0, "sink": 0.25])
    }

    @Test func `a plot is well-formed and has a point for each step`() throws {
        let elements = ElementCollector()
        let parser = XMLParser(data: Data(RatePlot(title: "a < b & c", curves: Self.report.curves).svg.utf8))
        parser.delegate = elements
        #expect(parser.parse())
        #expect(elements.points.map { $0.split(separator: " ").count } == [2])
        #expect(elements.text.contains("a < b & c") && elements.text.contains("R & D <x>"))
    }

    @Test func `a plot without a copy is still one`() {
        #expect(XMLParser(data: Data(RatePlot(title: "", curves: []).svg.utf8)).parse())
    }

    @Test(arguments: [(0.0, 1.0), (1, 1), (950, 1_000), (1_100, 2_000), (8_001, 10_000), (0.3, 0.4)])
    func `the scale ends at a round number`(_ value: Double, _ expected: Double) {
        #expect(abs(RatePlot.roundNumber(value) - expected) < 1e-9)
    }

    @Test func `faults are spread as asked`() {
        let faults = Scenario.Faults(slowShare: 0.01, dropShare: 0.002)
        let parts = (0..<10_000).map(faults.localPart)
        #expect(parts.count { $0 == "drop-after-dot+" } == 20)
        #expect(parts.count { $0 == "slow+" } == 100)
    }
}

private final class ElementCollector: NSObject, XMLParserDelegate {
    var points: [String] = []
    var text = ""

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        if name == "polyline" { points.append(attributes["points"] ?? "") }
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
}
