import Foundation
import MailTypes
import TestSupport
import Testing

@testable import MailMessage

/// DMARC and TLS reports, packed and not, and what only looks like one.
@Suite struct AggregateReportTests {
    private static func mail(_ content: [UInt8], type: String) -> ReceivedMail {
        let text = """
            From: noreply@receiver.example\r
            Subject: Report Domain: shop.example\r
            Content-Type: multipart/mixed; boundary=b\r
            \r
            --b\r
            Content-Type: text/plain\r
            \r
            <html>This is an aggregate report.</html>\r
            --b\r
            Content-Type: \(type)\r
            Content-Transfer-Encoding: base64\r
            \r
            \(Data(content).base64EncodedString(options: [.lineLength76Characters, .endLineWithCarriageReturn]))\r
            --b--\r

            """
        return ReceivedMail(Array(text.utf8))
    }

    private static func expectSample(_ report: AggregateReport?) throws {
        let report = try #require(report)
        #expect(report.kind == .dmarc && report.domain.text == "shop.example")
        #expect(report.organization == "Receiver & Sons" && report.id == "77.1")
        #expect(report.begin == 1_700_000_000 && report.end == 1_700_086_399)
        #expect(report.good == 15 && report.bad == 40)
        #expect(
            report.rows == [
                .init(source: "2001:db8::9", count: 40, isGood: false, detail: "reject dkim=fail spf=fail"),
                .init(source: "192.0.2.1", count: 15, isGood: true, detail: "none dkim=pass spf=fail"),
            ])
    }

    @Test func `a DMARC report is read bare, in gzip and in ZIP, out of its mail`() throws {
        let bare = Array(PackedReports.xml.utf8)
        for file in [
            bare, PackedReports.octets(PackedReports.gzip), PackedReports.octets(PackedReports.zip),
            PackedReports.octets(PackedReports.streamedZip),
        ] {
            try Self.expectSample(AggregateReport(file: file))
            try Self.expectSample(AggregateReport(mail: Self.mail(file, type: "application/octet-stream")))
        }
    }

    private static let tls = """
        {"organization-name": "Receiver", "date-range": {"start-datetime": "2024-04-01T00:00:00Z",
        "end-datetime": "2024-04-01T23:59:59.5Z"}, "contact-info": "a@b.example", "report-id": "5065427", "policies": [
        {"policy": {"policy-type": "sts", "policy-string": ["version: STSv1"], "policy-domain": "Shop.example"},
        "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
        "failure-details": [{"result-type": "certificate-expired", "failed-session-count": 100},
        {"result-type": "starttls-not-supported", "failed-session-count": 200}]},
        {"policy": {"policy-type": "sts", "policy-domain": "other.example"},
        "summary": {"total-successful-session-count": 9, "total-failure-session-count": 9}}]}
        """

    @Test func `a TLS report tells which policies held and what failed`() throws {
        let report = try #require(
            AggregateReport(mail: Self.mail(Array(Self.tls.utf8), type: "application/tlsrpt+json")))
        #expect(report.kind == .tls && report.domain.text == "shop.example" && report.id == "5065427")
        #expect(report.good == 5_326 && report.bad == 303)
        #expect(
            report.rows.map { "\($0.source) \($0.count)" } == [
                "sts 5326", "sts starttls-not-supported 200", "sts certificate-expired 100", "sts unknown 3",
            ])
        #expect(report.begin == 1_711_929_600)
    }

    @Test func `what nobody reads of a TLS report may be of any form`() throws {
        let odd = Self.tls.replacing(#""contact-info": "a@b.example", "#, with: "")
            .replacing(#""policy-string": ["version: STSv1"]"#, with: #""policy-string": "STSv1", "mx-host": {"a": 1}"#)
            .replacing(#""failed-session-count": 100"#, with: #""failed-session-count": 100, "receiving-ip": 7"#)
        #expect(odd.utf8.count != Self.tls.utf8.count)
        let report = try #require(AggregateReport(file: Array(odd.utf8)))
        #expect(report.good == 5_326 && report.bad == 303)
        let without = Self.tls.replacing(#""report-id": "5065427", "#, with: "")
        #expect(AggregateReport(file: Array(without.utf8)) == nil)
    }

    private static func mail(parts: [(type: String, content: [UInt8])]) -> ReceivedMail {
        var text = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        for (type, content) in parts {
            text += "--b\r\nContent-Type: \(type)\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            text += Data(content).base64EncodedString() + "\r\n"
        }
        return ReceivedMail(Array((text + "--b--\r\n").utf8))
    }

    @Test func `one part of a mail is read as a report, whatever comes of it`() throws {
        let report = (type: "application/gzip", content: PackedReports.octets(PackedReports.gzip))
        let html = (type: "text/html", content: Array("<p>A report is attached.</p>".utf8))
        let picture = (type: "image/png", content: [0x89, 0x50, 0x4E, 0x47] as [UInt8])
        try Self.expectSample(AggregateReport(mail: Self.mail(parts: [html, picture, report])))
        let bomb = [UInt8](repeating: 0x20, count: ReportLimits.octets + 1)
        let packed = try Self.gzip(bomb)
        let bombs = Array(repeating: (type: "application/gzip", content: packed), count: ReportLimits.parts - 1)
        #expect(AggregateReport(mail: Self.mail(parts: bombs + [report])) == nil)
        try Self.expectSample(AggregateReport(mail: Self.mail(parts: [report] + bombs)))
        for beginning in ["PK\u{3}\u{4}", " <html>", "{}"] {
            let other = (type: "application/octet-stream", content: Array(beginning.utf8))
            #expect(AggregateReport(mail: Self.mail(parts: [other, report])) == nil)
        }
    }

    /// A million combining marks in the worst of orders: Swift takes quadratic time to compare or hash such Strings.
    private static let marks: [UInt8] = (0..<1_000_000).flatMap { (place: Int) -> [UInt8] in
        place.isMultiple(of: 2) ? [0xCC, 0x81] : [0xCC, 0x96]
    }

    /// `text` with octets in place of what it has once.
    private static func filled(_ text: String, _ place: String, _ octets: [UInt8]) throws -> [UInt8] {
        let range = try #require(text.range(of: place))
        return Array(text[..<range.lowerBound].utf8) + octets + Array(text[range.upperBound...].utf8)
    }

    @Test(.timeLimit(.minutes(1))) func `hostile text in a DMARC report costs no more than its length`() throws {
        func report(_ place: String, _ before: String = "", _ after: String = "") throws -> AggregateReport? {
            let octets = Array(before.utf8) + Self.marks + Array(after.utf8)
            return AggregateReport(file: try Self.filled(PackedReports.xml, place, octets))
        }
        let organization = try #require(try report("Receiver &amp; Sons")).organization
        #expect(organization.utf8.count <= 258)
        let id = try #require(try report("77.1")).id
        #expect(id.utf8.count <= 258)
        #expect(try report("shop.example") == nil)
        #expect(try report("2001:DB8::9")?.bad == 0)
        #expect(try report("<p>", "<p>")?.good == 15)
        #expect(try report("77.1", "&", ";") == nil)
        #expect(try report("</feedback>", "</feedback>") == nil)
        #expect(try report("<feedback ", "<feedback ", "=\"\" ") == nil)
        #expect(try report("<p>", "<p", ">") == nil)
    }

    @Test(.timeLimit(.minutes(1))) func `long strings and hostile names of a TLS report are refused`() throws {
        func report(_ place: String, _ octets: [UInt8]) throws -> AggregateReport? {
            AggregateReport(file: try Self.filled(Self.tls, place, octets))
        }
        for place in ["5065427", "Shop.example", "contact-info", "\"contact-info\"", "a@b.example"] {
            #expect(try report(place, Self.marks) == nil)
        }
        let letters = { (count: Int) in [UInt8](repeating: UInt8(ascii: "a"), count: count) }
        #expect(try report("a@b.example", letters(ReportLimits.stringOctets))?.good == 5_326)
        #expect(try report("a@b.example", letters(ReportLimits.stringOctets + 1)) == nil)
        #expect(try report("contact-info", letters(ReportLimits.nameOctets))?.good == 5_326)
        #expect(try report("contact-info", letters(ReportLimits.nameOctets + 1)) == nil)
        #expect(try report("contact-info", Array("contact\\u0301".utf8)) == nil)
        #expect(try report("contact-info", Array("conta\u{301}ct".utf8)) == nil)
        #expect(try report("a@b.example", Array("\\\"\u{301}\\u0301".utf8))?.good == 5_326)
        let wide = Self.tls.utf8.flatMap { (octet: UInt8) -> [UInt8] in [octet, 0] }
        #expect(AggregateReport(file: wide) == nil)
    }

    /// gzip packs zeros a thousand to one.
    @Test func `what unpacks to more than a report is refused before it fills the memory`() throws {
        let bomb = Array(PackedReports.xml.utf8) + [UInt8](repeating: 0x20, count: ReportLimits.octets)
        let packed = try Self.gzip(bomb)
        #expect(packed.count < 100_000)
        #expect(PackedFile.contents(packed, limit: ReportLimits.octets) == nil)
        #expect(PackedFile.contents(packed, limit: bomb.count) == bomb)
        #expect(AggregateReport(file: packed) == nil)
    }

    @Test(arguments: Seed.range(40)) func `anything that gzip packs is unpacked`(seed: Seed) throws {
        var generator = SeededGenerator(seed)
        let length = Int.random(in: 0...60_000, using: &generator)
        let symbols = UInt8.random(in: 1...255, using: &generator)
        var octets = (0..<length).map { _ in UInt8.random(in: 0...symbols, using: &generator) }
        // Long repetitions, far back.
        octets += octets.prefix(length / 2)
        let packed = try Self.gzip(octets, level: Int.random(in: 1...9, using: &generator))
        #expect(PackedFile.contents(packed, limit: octets.count) == octets)
        if !octets.isEmpty { #expect(PackedFile.contents(packed, limit: octets.count - 1) == nil) }
        #expect(PackedFile.contents(Array(packed.dropLast()), limit: octets.count) == nil)
    }

    @Test(arguments: Seed.range(60)) func `damaged files are refused or read, and stop nothing`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let files = [
            Array(PackedReports.xml.utf8), PackedReports.octets(PackedReports.zip),
            PackedReports.octets(PackedReports.streamedZip), PackedReports.octets(PackedReports.gzip),
            Array(Self.tls.utf8),
        ]
        for file in files {
            for _ in 0..<40 {
                var spoilt = file
                for _ in 0..<Int.random(in: 1...4, using: &generator) where !spoilt.isEmpty {
                    let place = Int.random(in: 0..<spoilt.count, using: &generator)
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0: spoilt[place] = UInt8.random(in: 0...255, using: &generator)
                    case 1: spoilt.removeSubrange(place...)
                    case 2: spoilt.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                    default: spoilt.remove(at: place)
                    }
                }
                _ = AggregateReport(file: spoilt)
            }
        }
    }

    @Test func `no document type, no entity of one's own, no depth and no flood is read`() {
        let xml = PackedReports.xml
        let start = "<feedback"
        func changed(_ old: String, _ new: String) -> AggregateReport? {
            AggregateReport(file: Array(xml.replacingOccurrences(of: old, with: new).utf8))
        }
        #expect(changed(start, "<!DOCTYPE feedback [<!ENTITY a \"b\">]>" + start) == nil)
        #expect(changed("77.1", "&a;") == nil)
        #expect(changed("77.1", "<![CDATA[a<b]]>")?.id == "a<b")
        #expect(changed("77.1", "&#x41;&#66;")?.id == "AB")
        #expect(changed("77.1", "&#xD800;") == nil)
        #expect(changed("<record>", String(repeating: "<a>", count: 20) + "<record>") == nil)
        #expect(changed("</feedback>", "</feedback><feedback></feedback>") == nil)
        #expect(changed("</feedback>", "") == nil)
        #expect(changed("</record>", "</recorD>")?.good == 15)
        #expect(changed("</record>", "</row>") == nil)
        #expect(changed("shop.example", "not a domain") == nil)
        #expect(changed("1700086399", "1600000000") == nil)
        #expect(changed("192.0.2.1", "<script>")?.good == nil)
        let row = "<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>"
        #expect(changed("</feedback>", String(repeating: row, count: ReportLimits.rows) + "</feedback>") == nil)
        #expect(changed("<count>40</count>", "<count>99999999999999999999</count>")?.bad == 0)
    }

    @Test func `counts that would overflow are cut`() throws {
        let row = { (address: Int) in
            "<record><row><source_ip>2001:db8::\(String(address, radix: 16))</source_ip><count>\(Int64.max)</count></row></record>"
        }
        let xml = PackedReports.xml.replacingOccurrences(
            of: "</feedback>", with: (0..<5_000).map(row).joined() + "</feedback>")
        let report = try #require(AggregateReport(file: Array(xml.utf8)))
        #expect(report.rows.count == ReportLimits.keptRows)
        #expect(report.bad > ReportLimits.count * 4_000)
    }

    private static func gzip(_ octets: [UInt8], level: Int = 9) throws -> [UInt8] {
        let file = FileManager.default.temporaryDirectory.appending(path: "report-\(UUID().uuidString)")
        try Data(octets).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["gzip", "-c", "-\(level)", file.path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let packed = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Array(packed)
    }
}
