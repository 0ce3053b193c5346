import Foundation
import TestSupport

/// The forms of mail that have gone wrong in one mailer or another.
enum MailShapes {
    /// - Parameters:
    ///   - twoKeys: a domain with an RSA and an Ed25519 key.
    ///   - oneKey: a domain with an RSA key.
    static func all(twoKeys: String, oneKey: String) throws -> [MailShape] {
        let library = Sender(
            text: "City Library <library@\(twoKeys)>", shown: ["City Library", "library@\(twoKeys)"],
            signatures: Sender.twoKeys)
        let bookshop = Sender(
            text: "Bücher & Müller, Köln 📚 <laden@\(oneKey)>",
            shown: ["Bücher & Müller, Köln 📚", "laden@\(oneKey)"], signatures: Sender.oneKey)
        let quoted = Sender(
            text: #""Smith, \"Jo\" (Shop)" <jo@\#(oneKey)>"#, shown: [#"Smith, "Jo" (Shop)"#, "jo@\(oneKey)"],
            signatures: Sender.oneKey)
        return [
            displayNames(library), htmlOnly(bookshop), bothBodies(library), emptyText(bookshop), emptyHTML(library),
            leadingDots(library), trailingBlanks(bookshop), manyBlankLines(library), lineLengths(quoted),
            longLineInHTML(library), longSubject(bookshop), mergedSubject(library), csvWithByteOrderMark(bookshop),
            variables(library), sections(quoted), nonLatin(library), customHeaders(bookshop), addresses(library),
            randomTexts(library, seed: 7), randomTexts(bookshop, seed: 8), try inlineImage(library),
            try attachments(bookshop),
            try largeAttachment(library),
        ]
    }

    static let names = [
        "Ada Lovelace", "Zoë Ångström", "山田 太郎", "김철수", "Иван Петров", "שרה כהן", "محمد علي", "नरेंद्र", "😀 Happy 🎉 Reader",
        "👩‍👩‍👧‍👦", "O'Brien, \"Pat\" (home)", "a@b.example", "back\\slash", "=?utf-8?q?not_a_word?=", "semi;colon: <angle>",
        "Jürgen von der Außenstelle für übermäßig lange Anzeigenamen im öffentlichen Schriftverkehr zu Köln",
        "long ascii name that goes on and on until it cannot stand on one line any more, and then some",
        String(repeating: "漢字", count: 40), String(repeating: "x", count: 200), "e\u{301}\u{327} combining",
        "two  blanks",
        "Mr. Dot.", "ﬁ ligature ½ ™", "𝒻𝓇𝒶𝓀𝓉𝓊𝓇",
    ]

    /// A value as headers show it: each run of white space is one blank.
    static func onOneLine(_ value: String) -> String {
        value.split(separator: " ").joined(separator: " ")
    }

    private static func address(_ shape: String, _ number: Int) -> String { "\(shape)\(number)@example.net" }

    private static func displayNames(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(from: "", subject: "Für {{name|you}}", text: "Hello {{name|friend}}, this is it.")
        return MailShape("names", from: sender, count: names.count + 6, draft) { number, expected in
            let name = number < names.count ? names[number] : nil
            expected.subject = "Für \(onOneLine(name ?? "you"))"
            expected.text = "Hello \(name ?? "friend"), this is it."
            return RecipientLine(email: address("names", number), name: name)
        }
    }

    private static func htmlOnly(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(
            from: "", subject: "Only HTML", html: "<p>Grüß dich, {{name}}: <b>{{mark}}</b> = 100 %</p>\n<hr>",
            textPart: "none")
        return MailShape("html", from: sender, count: 25, draft) { number, expected in
            expected.html = "<p>Grüß dich, Ann &amp; Bob: <b>m-\(number)</b> = 100 %</p>\n<hr>"
            expected.structure = "html"
            expected.encodings = ["html": "quoted-printable"]
            return RecipientLine(email: address("html", number), name: "Ann & Bob", vars: ["mark": "m-\(number)"])
        }
    }

    private static func bothBodies(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(
            from: "", subject: "Both", html: "<html><body><p>{{mark}}</p></body></html>\n", text: "text of {{mark}}\n")
        return MailShape("both", from: sender, count: 30, draft) { number, expected in
            expected.html = "<html><body><p>mark \(number) é</p></body></html>"
            expected.text = "text of mark \(number) é"
            expected.structure = "alternative(plain,html)"
            return RecipientLine(email: address("both", number), vars: ["mark": "mark \(number) é"])
        }
    }

    /// A body without an octet (RFC 6376 §3.4.4 gives it a hash of its own), from a field that is empty.
    private static func emptyText(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(from: "", subject: "Nothing in it", text: "{{words}}")
        return MailShape("empty", from: sender, count: 20, draft) { number, expected in
            // Some have only blank lines, which the hash must treat alike.
            let words = ["", "\n", "\n\n\n", " ", "\t\n"][number % 5]
            expected.text = words
            return RecipientLine(email: address("empty", number), vars: ["words": .text(words)])
        }
    }

    private static func emptyHTML(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(
            from: "", subject: "{{words}}", html: "{{words}}", text: "{{^words}}{{/words}}", missingVariables: "empty")
        return MailShape("emptyboth", from: sender, count: 10, draft) { number, expected in
            expected.subject = ""
            expected.html = ""
            expected.text = ""
            expected.structure = "alternative(plain,html)"
            return RecipientLine(email: address("emptyboth", number), vars: number < 5 ? [:] : ["words": ""])
        }
    }

    private static func leadingDots(_ sender: Sender) -> MailShape {
        let text = ".\n..\n...\n. \n.\t\n.hidden\n\n.\n\nFrom here\n>From there\n.{{mark}}\n{{mark}}.\n{{dots}}\n."
        let draft = CampaignDraft(
            from: "", subject: ".{{mark}}", html: text.replacingOccurrences(of: "\n", with: "\r\n"), text: text)
        return MailShape("dots", from: sender, count: 25, draft) { number, expected in
            let dots = String(repeating: ".\r\n", count: number) + "."
            func filled(_ text: String) -> String {
                text.replacingOccurrences(of: "{{mark}}", with: "m\(number)")
                    .replacingOccurrences(of: "{{dots}}", with: dots)
            }
            expected.subject = ".m\(number)"
            expected.text = filled(text)
            expected.html = filled(text)
            expected.structure = "alternative(plain,html)"
            return RecipientLine(
                email: address("dots", number), vars: ["mark": "m\(number)", "dots": .text(dots)])
        }
    }

    private static func trailingBlanks(_ sender: Sender) -> MailShape {
        let text = "one \ntwo\t\nthree \t \t\n \n\t\n   \n=\n= \n{{mark}}  \n  {{mark}}\t"
        let draft = CampaignDraft(from: "", subject: "Blanks  within", html: text, text: text)
        return MailShape("blanks", from: sender, count: 25, draft) { number, expected in
            let mark = String(repeating: " ", count: number) + "|" + String(repeating: " \t", count: number)
            expected.text = text.replacingOccurrences(of: "{{mark}}", with: mark)
            expected.html = expected.text
            expected.structure = "alternative(plain,html)"
            return RecipientLine(email: address("blanks", number), vars: ["mark": .text(mark)])
        }
    }

    private static func manyBlankLines(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(
            from: "", subject: "Blank lines",
            text: String(repeating: "\n", count: 40) + "in the middle{{tail}}" + String(repeating: "\n", count: 60))
        return MailShape("lines", from: sender, count: 20, draft) { number, expected in
            let tail = String(repeating: number % 2 == 0 ? "\n" : " \r\n", count: number * 10)
            expected.text =
                String(repeating: "\n", count: 40) + "in the middle" + tail + String(repeating: "\n", count: 60)
            return RecipientLine(email: address("lines", number), vars: ["tail": .text(tail)])
        }
    }

    /// Lines around each bound: 76 of an encoded line, 78 recommended, 998 allowed.
    private static func lineLengths(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(from: "", subject: "{{subject}}", text: "{{{line}}}\n{{{line}}}")
        let lengths = (70...80).flatMap { [$0, $0] } + [996, 997, 998, 999, 1_000, 4_096]
        return MailShape("length", from: sender, count: lengths.count, draft) { number, expected in
            let length = lengths[number]
            let line =
                number % 2 == 0 || number > 22
                ? String(repeating: "w", count: length) : String(repeating: "é ", count: length / 2)
            let subject = String(repeating: "s", count: min(length, 998))
            expected.subject = subject
            expected.text = line + "\n" + line
            return RecipientLine(
                email: address("length", number), vars: ["line": .text(line), "subject": .text(subject)])
        }
    }

    private static func longLineInHTML(_ sender: Sender) -> MailShape {
        let long = String(repeating: "<i>long</i> ", count: 167)
        let draft = CampaignDraft(
            from: "", subject: "Long lines",
            html: "<p>\(long.prefix(2_000))</p>\n<p>{{{mark}}}</p>\n" + String(repeating: "漢", count: 700),
            text: "short")
        return MailShape("long", from: sender, count: 25, draft) { number, expected in
            let mark = String(repeating: "<b>\(number % 10)</b>", count: 300)
            expected.html = "<p>\(long.prefix(2_000))</p>\n<p>\(mark)</p>\n" + String(repeating: "漢", count: 700)
            expected.text = "short"
            expected.structure = "alternative(plain,html)"
            return RecipientLine(email: address("long", number), vars: ["mark": .text(mark)])
        }
    }

    private static func longSubject(_ sender: Sender) -> MailShape {
        let subject = String(repeating: "Große Überraschung für alle 🎁 ", count: 20) + "Ende"
        let draft = CampaignDraft(from: "", subject: subject, text: "The subject says it all.")
        return MailShape("subject", from: sender, count: 20, draft) { number, expected in
            expected.text = "The subject says it all."
            return RecipientLine(email: address("subject", number))
        }
    }

    private static func mergedSubject(_ sender: Sender) -> MailShape {
        let values = [
            "plain", "Zoë", "山田", "=?utf-8?q?fake?=", "\"quoted\"", "<angle>", "two  blanks", "a,b;c:d",
            String(repeating: "word ", count: 60) + "end", String(repeating: "長", count: 120),
            String(repeating: "x", count: 300), "😀😀😀", "50 % off = now_ or never?", "tab-free",
        ]
        let draft = CampaignDraft(from: "", subject: "[{{a}}] for {{b}} – {{a}}", text: "{{a}}")
        return MailShape("merged", from: sender, count: values.count * 2, draft) { number, expected in
            let first = values[number % values.count]
            let second = "n\(number)"
            expected.subject = "[\(onOneLine(first))] for \(second) – \(onOneLine(first))"
            expected.text = first
            return RecipientLine(email: address("merged", number), vars: ["a": .text(first), "b": .text(second)])
        }
    }

    private static func csvWithByteOrderMark(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(from: "", subject: "Table {{row}}", text: "{{note}}\n-- \n{{ city }}")
        let cities = ["Köln", "São Paulo", "北京", "Zürich", "Kraków"]
        var csv = "\u{FEFF}row,EMAIL,note,\"name\",city\r\n"
        let shape = MailShape("csv", from: sender, count: 25, draft) { number, expected in
            let note = "line \"one\",\r\nline two\r\n.line \(number)"
            let city = cities[number % cities.count]
            let email = address("csv", number)
            csv +=
                "\(number),\(email),\"\(note.replacingOccurrences(of: "\"", with: "\"\""))\",\"Doe, Jané\",\(city)\r\n"
            expected.subject = "Table \(number)"
            expected.text = "\(note)\n-- \n\(city)"
            return RecipientLine(email: email, name: "Doe, Jané")
        }
        return MailShape(name: shape.name, draft: shape.draft, copies: shape.copies, csv: csv)
    }

    private static func variables(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(
            from: "", subject: "{{first|friend}}: {{{first|friend}}}",
            html: "<p>{{first|friend}} {{{first|<i>friend</i>}}} {{&first|-}} {{order.total|0}}</p>",
            text: "{{first|friend}} {{{first|friend}}} {{email}} {{order.total|0}}")
        let values: [String?] = ["<b>Ann</b>", "Tom & \"Jerry\"", "", nil, "it's"]
        return MailShape("variables", from: sender, count: 24, draft) { number, expected in
            let value = values[number % values.count]
            let email = address("variables", number)
            let shown = value.flatMap { $0.isEmpty ? nil : $0 }
            let escaped = (shown ?? "friend").replacingOccurrences(of: "&", with: "&amp;")
                .replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
                .replacingOccurrences(of: "\"", with: "&quot;").replacingOccurrences(of: "'", with: "&#39;")
            let plain = shown ?? "friend"
            expected.subject = "\(plain): \(plain)"
            expected.html = "<p>\(escaped) \(shown ?? "<i>friend</i>") \(shown ?? "-") \(number).50</p>"
            expected.text = "\(plain) \(plain) \(email) \(number).50"
            expected.structure = "alternative(plain,html)"
            var vars: [String: MergeField] = ["order": .object(["total": "\(number).50"])]
            if let value { vars["first"] = .text(value) } else if number % 2 == 0 { vars["first"] = .null }
            return RecipientLine(email: email, vars: vars)
        }
    }

    private static func sections(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(
            from: "", subject: "Your list",
            text: "{{#items}}\n- {{title}} ({{count}})\n{{/items}}\n{{^items}}\nnothing\n{{/items}}\n"
                + "{{#member}}Thanks, member.{{/member}}{{^member}}Join us!{{/member}}")
        return MailShape("sections", from: sender, count: 20, draft) { number, expected in
            let items = (0..<number % 4).map { MergeField.object(["title": "Büch \($0)", "count": "\($0 + 1)"]) }
            let lines = (0..<number % 4).map { "- Büch \($0) (\($0 + 1))\n" }.joined()
            expected.text =
                (lines.isEmpty ? "nothing\n" : lines) + (number % 2 == 0 ? "Thanks, member." : "Join us!")
            return RecipientLine(
                email: address("sections", number), vars: ["items": .list(items), "member": .flag(number % 2 == 0)])
        }
    }

    private static func nonLatin(_ sender: Sender) -> MailShape {
        let text = """
            親愛なる{{name}}様、いつもお世話になっております。
            Уважаемый читатель, спасибо, что вы с нами.
            عزيزي القارئ، شكرا لك.
            亲爱的读者,感谢您。😀 {{mark}}
            """
        let draft = CampaignDraft(from: "", subject: "お知らせ {{mark}}", html: "<p>\(text)</p>", text: text)
        return MailShape("nonlatin", from: sender, count: 30, draft) { number, expected in
            let filled = text.replacingOccurrences(of: "{{name}}", with: "田中")
                .replacingOccurrences(of: "{{mark}}", with: "№ \(number)")
            expected.subject = "お知らせ № \(number)"
            expected.text = filled
            expected.html = "<p>\(filled)</p>"
            expected.structure = "alternative(plain,html)"
            expected.encodings = ["plain": "base64", "html": "base64"]
            return RecipientLine(email: address("nonlatin", number), name: "田中", vars: ["mark": "№ \(number)"])
        }
    }

    private static func customHeaders(_ sender: Sender) -> MailShape {
        let draft = CampaignDraft(
            from: "", subject: "Headers", text: "Look above.",
            replyTo: [#""Servicé, \"Désk\"" <desk@example.org>"#, "plain@example.org"],
            headers: [
                "X-Campaign": "spring-{{mark}}", "X-Reader": "{{name}}",
                "X-Long": String(repeating: "token ", count: 60) + "end",
                "X-Link": "<https://example.org/" + String(repeating: "p", count: 300) + ">", "Precedence": "bulk",
                "Auto-Submitted": "auto-generated",
            ])
        return MailShape("headers", from: sender, count: 25, draft) { number, expected in
            expected.text = "Look above."
            expected.replyTo = [#""Servicé, \"Désk\"" <desk@example.org>"#, "plain@example.org"]
            expected.headers = [
                "X-Campaign": "spring-\(number)", "X-Reader": "Renée \(number)",
                "X-Long": String(repeating: "token ", count: 60) + "end",
                "X-Link": "<https://example.org/" + String(repeating: "p", count: 300) + ">", "Precedence": "bulk",
                "Auto-Submitted": "auto-generated",
            ]
            return RecipientLine(
                email: address("headers", number), name: "Renée \(number)", vars: ["mark": "\(number)"])
        }
    }

    /// Addresses that need quotes, punycode or SMTPUTF8, and very long ones.
    private static func addresses(_ sender: Sender) -> MailShape {
        let spellings: [(line: String, envelope: String)] = [
            (#""john smith"@example.net"#, #""john smith"@example.net"#),
            (#""a@b"@example.net"#, #""a@b"@example.net"#), (#""quo\"te"@example.net"#, #""quo\"te"@example.net"#),
            (#""..dots.."@example.net"#, #""..dots.."@example.net"#), ("o'brien@example.net", "o'brien@example.net"),
            ("a+tag=x@example.net", "a+tag=x@example.net"), ("{curly}|pipe@example.net", "{curly}|pipe@example.net"),
            ("leser@bücher.example", "leser@xn--bcher-kva.example"), ("x@münchen.example", "x@xn--mnchen-3ya.example"),
            ("y@例え.example", "y@xn--r8jz45g.example"), ("z@faß.example", "z@xn--fa-hia.example"),
            ("jürgen@example.net", "jürgen@example.net"), ("用户@例え.example", "用户@xn--r8jz45g.example"),
            ("ünï+çödé@bücher.example", "ünï+çödé@xn--bcher-kva.example"),
            (
                String(repeating: "l", count: 64) + "@example.net",
                String(repeating: "l", count: 64) + "@example.net"
            ),
            (
                "d@" + String(repeating: "label-of-some-length.", count: 11) + "example",
                "d@" + String(repeating: "label-of-some-length.", count: 11) + "example"
            ),
        ]
        let draft = CampaignDraft(from: "", subject: "To {{email}}", text: "Written to {{email}}.")
        return MailShape("addresses", from: sender, count: spellings.count, draft) { number, expected in
            let (line, envelope) = spellings[number]
            expected.to = envelope
            expected.subject = "To \(envelope)"
            expected.text = "Written to \(envelope)."
            return RecipientLine(email: line, name: number % 2 == 0 ? "Jörg \(number)" : nil)
        }
    }

    /// Texts from pieces that encoders stumble over, put together by chance.
    private static func randomTexts(_ sender: Sender, seed: UInt64) -> MailShape {
        var generator = SeededGenerator(seed: seed)
        let pieces = [
            ".", "..", "\n", "\r\n", "\r", "\n.\n", "\n.", " ", "  \n", "\t", "\t\n", "=", "=3D", "=\n", "é", "漢字", "😀",
            "\u{301}", "From ", "\nFrom ", "--", "\n--", "\n\n", "\u{2028}",
            "{{x}}", "&amp;", "\"", "\\", "word", "words and words", String(repeating: "m", count: 75),
            String(repeating: "é", count: 38), String(repeating: "n", count: 997), String(repeating: " ", count: 80),
        ]
        let draft = CampaignDraft(from: "", subject: "Chance", html: "{{{html}}}", text: "{{{text}}}")
        return MailShape("random\(seed)", from: sender, count: 40, draft) { number, expected in
            func random() -> String {
                (0..<Int.random(in: 1...60, using: &generator)).map { _ in
                    pieces.randomElement(using: &generator) ?? ""
                }.joined()
            }
            let (html, text) = (random(), random())
            expected.html = html
            expected.text = text
            expected.structure = "alternative(plain,html)"
            return RecipientLine(
                email: address("random\(seed)-", number), vars: ["html": .text(html), "text": .text(text)])
        }
    }
}
