import MailMessage
import Testing

struct TemplateErrorTests {
    static let fixtures: [(template: String, code: MessageError.Code, line: Int)] = [
        ("{{a", .unbalancedTag, 1),
        ("x\n\n{{a}", .unbalancedTag, 3),
        ("{{{a}}", .unbalancedTag, 1),
        ("{{#a}}x", .unbalancedTag, 1),
        ("{{#a}}\n{{#b}}\n{{/b}}", .unbalancedTag, 1),
        ("{{^a}}", .unbalancedTag, 1),
        ("{{! never closed", .unbalancedTag, 1),
        ("{{/a}}", .unknownSection, 1),
        ("{{#a}}{{/b}}", .unknownSection, 1),
        ("{{#a}}\n{{#b}}\r\n{{/a}}{{/b}}", .unknownSection, 3),
        ("{{#a}}{{/a}}{{/a}}", .unknownSection, 1),
        ("{{#if a}}x{{/if}}", .unsupportedTag, 1),
        ("{{#a}}{{/}}", .unknownSection, 1),
        ("{{>partial}}", .unsupportedTag, 1),
        ("{{=<% %>=}}", .unsupportedTag, 1),
        ("{{$block}}{{/block}}", .unsupportedTag, 1),
        ("{{<parent}}{{/parent}}", .unsupportedTag, 1),
        ("{{*dynamic}}", .unsupportedTag, 1),
        ("{{@root}}", .unsupportedTag, 1),
        ("{{<b>name</b>}}", .unsupportedTag, 1),
        ("{{}}", .invalidTag, 1),
        ("{{ }}", .invalidTag, 1),
        ("{{{}}}", .invalidTag, 1),
        ("{{&}}", .invalidTag, 1),
        ("{{#}}{{/}}", .invalidTag, 1),
        ("{{a..b}}", .invalidTag, 1),
        ("{{.a}}", .invalidTag, 1),
        ("{{a.}}", .invalidTag, 1),
        ("{{.}}", .invalidTag, 1),
        ("{{#.}}{{/.}}", .invalidTag, 1),
        ("{{a<b>c</b>}}", .invalidTag, 1),
        ("{{#a|b}}{{/a|b}}", .invalidTag, 1),
        ("{{|fallback}}", .invalidTag, 1),
        ("{{a\nb}}", .invalidTag, 1),
        ("{{a {{b}} }}", .invalidTag, 1),
        ("{{" + String(repeating: "a", count: 129) + "}}", .invalidTag, 1),
        (String(repeating: "{{#a}}", count: 17), .sectionsTooDeep, 1),
    ]

    @Test(arguments: fixtures) func `a faulty body template is refused`(
        _ template: String, _ code: MessageError.Code, _ line: Int
    ) throws {
        let html = #expect(throws: MessageError.self) { try CompiledMessage(Samples.content(html: template)) }
        #expect(html?.code == code)
        #expect(html?.detail.hasPrefix("html, line \(line): ") == true, "\(html?.detail ?? "")")
        let text = #expect(throws: MessageError.self) { try CompiledMessage(Samples.content(text: template)) }
        #expect(text?.code == code)
        #expect(text?.detail.hasPrefix("text, line \(line): ") == true, "\(text?.detail ?? "")")
    }

    @Test(arguments: fixtures.filter { !$0.template.contains(where: \.isNewline) })
    func `a faulty header template is refused`(_ template: String, _ code: MessageError.Code, _ line: Int) throws {
        let subject = #expect(throws: MessageError.self) { try CompiledMessage(Samples.content(subject: template)) }
        #expect(subject?.code == code)
        #expect(subject?.detail.hasPrefix("Subject, line 1: ") == true)
        let custom = #expect(throws: MessageError.self) {
            try CompiledMessage(Samples.content(headers: [("X-Test", template)]))
        }
        #expect(custom?.code == code)
        #expect(custom?.detail.hasPrefix("X-Test, line 1: ") == true)
    }

    @Test func `an error text never quotes what may be message text`() throws {
        let long = String(repeating: "a", count: 100)
        for template in ["{{/jane@example.org}}", "{{#secret: 4711}}", "{{#\(long)}}"] {
            let error = #expect(throws: MessageError.self) { try CompiledMessage(Samples.content(text: template)) }
            #expect(error?.description.contains("jane") == false)
            #expect(error?.description.contains("4711") == false)
            #expect((error?.description.utf8.count ?? 0) < 150)
        }
        #expect(RenderError.missingVariable("jane@example.org").description.contains("jane") == false)
        #expect(RenderError.missingVariable("first_name").description.contains("{{first_name}}"))
    }

    @Test func `too many tags are refused`() throws {
        var limits = MessageLimits.standard
        limits.tagCount = 3
        let template = "{{a}}{{! b }}{{c}}"
        _ = try CompiledMessage(Samples.content(text: template), limits: limits)
        let error = #expect(throws: MessageError.self) {
            try CompiledMessage(Samples.content(text: template + "{{d}}"), limits: limits)
        }
        #expect(error?.code == .tooManyTags)
    }
}
